import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { login } from '../../support/builders/guesses.js';
import { CSV, imported, ndjson, NDJSON, sendFile } from '../../support/builders/imports.js';
import { FIREBASE, FIREBASE_KEY, knownHashes } from '../../support/builders/known-hashes.js';
import { closeConnections } from '../../support/http/send.js';
import { TestApp } from '../../support/app/test-app.js';

/** The password of the published hash. */
const PASSWORD = 'user1password';
/** Another key of the same size. No password matches with it. */
const OTHER_KEY = FIREBASE_KEY.replace('jxspr8', 'jxspr9');

interface KeyRow {
  readonly id: string;
  readonly import_id: string;
  readonly sealed: Buffer;
}

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(async () => {
  closeConnections();
  await app.close();
});

const keysOf = (importId: string): Promise<KeyRow[]> =>
  app.database.query<KeyRow>('SELECT id, import_id, sealed FROM password_signer_keys WHERE import_id = $1', [
    importId,
  ]);
const hashOf = async (email: string): Promise<string> => {
  const [row] = await app.database.query<{ hash: string }>(
    'SELECT password_hash AS hash FROM users WHERE email = $1',
    [email],
  );
  return row?.hash ?? '';
};
const rowsOf = (domain: string, ...hashes: readonly string[]): string =>
  ndjson(...hashes.map((hash, n) => ({ email: `f${n}@${domain}`, name: 'F', password_hash: hash })));

describe('the signer key of imported Firebase hashes', () => {
  it('is stored once for each import, encrypted, and in no hash', async () => {
    const other = FIREBASE.replace(FIREBASE_KEY, OTHER_KEY);
    const first = await imported(app, NDJSON, rowsOf('first.example', FIREBASE, FIREBASE, other));
    expect(first.job).toMatchObject({ done: 3, failed: 0 });
    const keys = await keysOf(first.job.id);
    expect(keys).toHaveLength(2);
    const plain = Buffer.from(FIREBASE_KEY, 'base64');
    for (const { sealed } of keys) {
      expect(sealed.includes(plain)).toBe(false);
      expect(sealed.includes(FIREBASE_KEY.slice(0, 12))).toBe(false);
    }
    const stored = await Promise.all([0, 1, 2].map((n) => hashOf(`f${n}@first.example`)));
    for (const hash of stored) {
      expect(hash).toMatch(/^\$firebase-scrypt\$r=8,m=14,sep=Bw==,ref=[\da-f-]{36}\$42xEC\+ixf3L2lw==\$lSrf/);
    }
    expect(stored[0]).toBe(stored[1]);
    expect(stored[0]).not.toBe(stored[2]);

    const second = await imported(app, NDJSON, rowsOf('second.example', FIREBASE));
    expect(await keysOf(second.job.id)).toHaveLength(1);
    expect(await hashOf('f0@second.example')).not.toBe(stored[0]);
  });

  it('is not stored by a dry run', async () => {
    const rows = rowsOf('dry.example', FIREBASE);
    const { job } = await imported(app, NDJSON, rows, app.admin, '?dry_run=true');
    expect(job).toMatchObject({ status: 'succeeded', done: 1, failed: 0 });
    expect(await keysOf(job.id)).toEqual([]);
  });

  it('lets their owners sign in, after which the hash is ours', async () => {
    const other = FIREBASE.replace(FIREBASE_KEY, OTHER_KEY);
    await imported(app, NDJSON, rowsOf('sign.example', FIREBASE, other));
    expect((await login(app, { email: 'f0@sign.example', password: 'user2password' })).status).toBe(401);
    expect((await login(app, { email: 'f1@sign.example', password: PASSWORD })).status).toBe(401);
    expect((await login(app, { email: 'f0@sign.example', password: PASSWORD })).status).toBe(200);
    expect(await hashOf('f0@sign.example')).toMatch(/^\$argon2id\$v=19\$m=19456,/);
    expect((await login(app, { email: 'f0@sign.example', password: PASSWORD })).status).toBe(200);
  });

  it('is missed without an error when its row is gone', async () => {
    const { job } = await imported(app, NDJSON, rowsOf('gone.example', FIREBASE));
    await app.database.query('DELETE FROM password_signer_keys WHERE import_id = $1', [job.id]);
    expect((await login(app, { email: 'f0@gone.example', password: PASSWORD })).status).toBe(401);
  });

  it('cannot be that of another import', async () => {
    const { job } = await imported(app, NDJSON, rowsOf('owner.example', FIREBASE));
    const [key] = await keysOf(job.id);
    const { results } = await imported(
      app,
      NDJSON,
      rowsOf('thief.example', FIREBASE.replace(`key=${FIREBASE_KEY}`, `ref=${key?.id}`)),
    );
    expect(results).toMatchObject([
      {
        status: 'failed',
        error: { message: 'line 1: password_hash is Firebase scrypt without the key of its project' },
      },
    ]);
  });
});

describe('an import', () => {
  it('names the scheme of a refused hash, the bound that was passed, and an unknown property', async () => {
    const person = { email: 'named@error.example', name: 'N' };
    const rows = [
      { ...person, password_hash: '{SSHA}clgQgk5xvo3fhJ151SBdCnQFlWRca22t' },
      { ...person, password_hash: '$2b$15$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy' },
      { ...person, passwordHash: 'x' },
      { ...person, _id: 1 },
      { name: 'N', 'E-Mail': person.email },
    ];
    const { results } = await imported(app, NDJSON, ndjson(...rows));
    expect(results.map(({ error }) => error?.message)).toEqual([
      'line 1: password_hash is {SSHA}, a fast hash that gives its passwords away once it leaks; leave it out and let the user reset the password',
      'line 2: password_hash is bcrypt: its cost of 15 is above the limit of 14',
      'line 3: passwordHash is no property of an import; did you mean password_hash?',
      'line 4: _id is no property of an import; leave it out, because an import gives each user a new id',
      'line 5: E-Mail is no property of an import; did you mean email?',
    ]);
    const messageOf = async (header: string): Promise<unknown> =>
      ((await sendFile(app, CSV, `${header}\na@no.example,Ada`)).body as { error: { message: string } }).error
        .message;
    expect(await messageOf('email,passwordHash')).toBe(
      'line 1: passwordHash is no column of an import; did you mean password_hash?',
    );
    expect(await messageOf('email,colour')).toMatch(
      /^line 1: colour is no column of an import; it may contain/,
    );
    // Without a header, the first line belongs to a person.
    expect(await messageOf('a@b.example,Ada')).not.toMatch(/b\.example|Ada/);
  });

  it('accepts password hashes as other systems export them, and users without a password', async () => {
    const rows = knownHashes.map(({ exported }, n) => ({
      email: `k${n}@known.example`,
      name: 'K',
      password_hash: exported,
    }));
    const none = { email: 'none@known.example', name: 'K', password_hash: '!unusable' };
    const { results } = await imported(app, NDJSON, ndjson(...rows, none));
    expect(results.flatMap(({ error }) => (error ? [error] : []))).toEqual([]);
    const stored = await app.database.query<{ hash: string | null }>(
      `SELECT password_hash AS hash FROM users WHERE email LIKE '%@known.example'`,
    );
    expect(stored.filter(({ hash }) => hash === null)).toHaveLength(1);
  });
});
