import { pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { argon2d, argon2i, argon2id, hash as argon2 } from 'argon2';
import { hash as bcrypt } from 'bcrypt';
import { PasswordFormatSampler } from '../../../src/modules/auth/sign-in/password-format.sampler.js';
import { DecoyHashesService } from '../../../src/platform/crypto/passwords/decoy-hashes.service.js';
import { formatOf } from '../../../src/platform/crypto/passwords/hash-cost.js';
import { readImportedHash } from '../../../src/platform/crypto/passwords/imported-hash.js';
import { parseStoredHash } from '../../../src/platform/crypto/passwords/stored-hash.js';
import { knownHashes } from '../../support/builders/known-hashes.js';
import { ANY_NETWORK, login } from '../../support/builders/guesses.js';
import { closeConnections } from '../../support/http/send.js';
import { TestApp } from '../../support/app/test-app.js';
import { read } from '../../support/builders/users.js';

const TODAY = /^\$argon2id\$v=19\$m=19456,p=1,t=2\$/;
/** A password whose bytes depend on the normal form. Other systems hashed it as sent. */
const PASSWORD = 'pa\u0308ssword of old';
const salt = randomBytes(16);

const b64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
const ab64 = (bytes: Buffer) => b64(bytes).replaceAll('+', '.');
const weak = { memoryCost: 4096, timeCost: 1, parallelism: 1 };

const FORMATS: Readonly<Record<string, () => string | Promise<string>>> = {
  'bcrypt $2b$': () => bcrypt(PASSWORD, 4),
  'bcrypt $2a$': async () => (await bcrypt(PASSWORD, 4)).replace('$2b$', '$2a$'),
  'bcrypt $2y$ of PHP': async () => (await bcrypt(PASSWORD, 4)).replace('$2b$', '$2y$'),
  'scrypt in PHC': () =>
    `$scrypt$ln=10,r=8,p=2$${b64(salt)}$${b64(scryptSync(PASSWORD, salt, 32, { N: 1024, r: 8, p: 2 }))}`,
  'pbkdf2-sha256 in PHC': () =>
    `$pbkdf2-sha256$i=2000,l=32$${b64(salt)}$${b64(pbkdf2Sync(PASSWORD, salt, 2000, 32, 'sha256'))}`,
  'pbkdf2-sha512 in PHC': () =>
    `$pbkdf2-sha512$i=2000$${b64(salt)}$${b64(pbkdf2Sync(PASSWORD, salt, 2000, 64, 'sha512'))}`,
  'pbkdf2-sha256 of passlib': () =>
    `$pbkdf2-sha256$2000$${ab64(salt)}$${ab64(pbkdf2Sync(PASSWORD, salt, 2000, 32, 'sha256'))}`,
  'pbkdf2-sha512 of passlib': () =>
    `$pbkdf2-sha512$2000$${ab64(salt)}$${ab64(pbkdf2Sync(PASSWORD, salt, 2000, 64, 'sha512'))}`,
  argon2i: () => argon2(PASSWORD, { ...weak, type: argon2i }),
  argon2d: () => argon2(PASSWORD, { ...weak, type: argon2d }),
  'argon2id with weaker parameters': () => argon2(PASSWORD, { ...weak, type: argon2id }),
  'argon2id in several lanes': () => argon2(PASSWORD, { memoryCost: 8192, timeCost: 3, parallelism: 4 }),
  'argon2id of version 1.0': () => argon2(PASSWORD, { ...weak, type: argon2id, version: 16 }),
};

/** Returns the text that an import stores for a hash. */
function storedAs(exported: unknown): string {
  const text = readImportedHash(exported);
  if (typeof text !== 'string') throw new Error('the hash is refused');
  return text;
}

describe('a password hash from another system', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create({ config: ANY_NETWORK });
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  const stored = async (id: string) =>
    (
      await app.database.query<{ hash: string }>('SELECT password_hash AS hash FROM users WHERE id = $1', [
        id,
      ])
    )[0]?.hash ?? '';

  async function createUserWithHash(hash: string): Promise<{ id: string; email: string }> {
    const user = await app.createUser();
    await app.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [user.id, hash]);
    return user;
  }

  it.each(Object.entries(FORMATS))('lets its owner sign in, and is then renewed: %s', async (_, make) => {
    const foreign = await make();
    const { id, email } = await createUserWithHash(foreign);
    const { version, updated_at } = await read(app, id);
    expect((await login(app, { email, password: `${PASSWORD}!` })).status).toBe(401);
    expect((await login(app, { email, password: foreign })).status).toBe(401);
    expect(await stored(id)).toBe(foreign);
    expect((await login(app, { email, password: PASSWORD })).status).toBe(200);
    const renewed = await stored(id);
    expect(renewed).toMatch(TODAY);
    expect(await read(app, id)).toMatchObject({ version, updated_at });
    // Our hash is over the normal form, so every keyboard's spelling matches from now on.
    expect((await login(app, { email, password: PASSWORD.normalize('NFC') })).status).toBe(200);
    expect((await login(app, { email, password: `${PASSWORD}!` })).status).toBe(401);
    expect(await stored(id)).toBe(renewed);
  });

  it.each(knownHashes.filter(({ password }) => !/\p{Cc}/u.test(password)))(
    'lets its owner sign in, and is then renewed: $exported ($source)',
    async ({ password, exported }) => {
      const { id, email } = await createUserWithHash(storedAs(exported));
      expect((await login(app, { email, password: `${password}!` })).status).toBe(401);
      expect(await stored(id)).toBe(storedAs(exported));
      expect((await login(app, { email, password })).status).toBe(200);
      expect(await stored(id)).toMatch(TODAY);
      expect((await login(app, { email, password })).status).toBe(200);
    },
  );

  it('is imitated for unknown addresses, whatever its spelling', async () => {
    const sampler = app.nest.get(PasswordFormatSampler);
    const decoys = app.nest.get(DecoyHashesService);
    for (const text of knownHashes.map(({ exported }) => storedAs(exported))) {
      await app.database.query('UPDATE users SET password_hash = $1', [text]);
      await sampler.refresh();
      const hash = parseStoredHash(text);
      expect([text, formatOf(decoys.forAddress('nobody@example.com'))]).toEqual([
        text,
        hash && formatOf(hash),
      ]);
    }
  });

  it('of WordPress is not renewed while the password is typed with spaces that WordPress ignored', async () => {
    const padded = knownHashes.find(({ password }) => password === 'padded');
    const { id, email } = await createUserWithHash(storedAs(padded?.exported));
    expect((await login(app, { email, password: ' padded ' })).status).toBe(200);
    expect(await stored(id)).toBe(padded?.exported);
    expect((await login(app, { email, password: 'padded' })).status).toBe(200);
    expect(await stored(id)).toMatch(TODAY);
  });

  it('ends no session on renewal', async () => {
    const user = await app.createUser();
    const foreign = await bcrypt(PASSWORD, 4);
    await app.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [user.id, foreign]);
    expect((await login(app, { email: user.email, password: PASSWORD })).status).toBe(200);
    expect((await app.as(user, 'get', '/api/users/me')).status).toBe(200);
  });

  it('is renewed once by concurrent sign-ins, which all succeed', async () => {
    const { email, id } = await createUserWithHash(await bcrypt(PASSWORD, 4));
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => login(app, { email, password: PASSWORD })),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(await stored(id)).toMatch(TODAY);
  });

  it.each([
    ['another password with the same beginning', 'A'.repeat(72), '-rest', '-typo'],
    ['only the first 72 bytes', 'A'.repeat(72), '-rest', ''],
    ['other multi-byte characters', 'ü'.repeat(36), 'ß', 'ö'],
  ])('stays bcrypt when bcrypt did not read the whole password: %s', async (_, begin, rest, typo) => {
    const foreign = await bcrypt(begin + rest, 4);
    const { id, email } = await createUserWithHash(foreign);
    expect((await login(app, { email, password: begin + typo })).status).toBe(200);
    expect(await stored(id)).toBe(foreign);
    expect((await login(app, { email, password: begin + rest })).status).toBe(200);
    expect(await stored(id)).toBe(foreign);
  });

  it('is renewed from bcrypt for a password of 71 bytes', async () => {
    const { id, email } = await createUserWithHash(await bcrypt('A'.repeat(71), 4));
    expect((await login(app, { email, password: 'A'.repeat(71) })).status).toBe(200);
    expect(await stored(id)).toMatch(TODAY);
  });

  it.each([
    ['$scrypt$ln=14,r=8,p=1$c29tZXNhbHQxMjM0NTY3OA$======================'],
    ['$scrypt$ln=16,r=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs'],
    ['$argon2id$v=19$m=19456,p=1,t=2$c29tZXNhbHRzb21lc2FsdA$'],
    ['$argon2id$v=19$m=19456,p=1,t=2$'],
    ['$argon2id$v=19$m=4194304,t=1000,p=4$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG'],
    ['$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['$scrypt$ln=30,r=8,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs'],
    ['$pbkdf2-sha512$i=9999999$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs'],
    ['{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3'],
    ['correct horse battery'],
    [''],
  ])('never matches when its cost is absurd or its format unknown: %s', async (hash) => {
    const { id, email } = await createUserWithHash(hash);
    for (const password of [PASSWORD, 'correct horse battery', hash || ' ']) {
      expect((await login(app, { email, password })).status).toBe(401);
    }
    expect(await stored(id)).toBe(hash);
  });
});
