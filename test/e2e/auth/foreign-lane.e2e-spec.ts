import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash as bcrypt } from 'bcrypt';
import { PasswordFormatSampler } from '../../../src/modules/auth/sign-in/password-format.sampler.js';
import { PasswordFormatsRepository } from '../../../src/modules/auth/sign-in/password-formats.repository.js';
import { DecoyHashesService } from '../../../src/platform/crypto/passwords/decoy-hashes.service.js';
import { formatOf } from '../../../src/platform/crypto/passwords/hash-cost.js';
import { ANY_NETWORK, counters, elsewhere, login } from '../../support/builders/guesses.js';
import { closeConnections } from '../../support/http/send.js';
import { PASSWORD, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const DIGEST = 'RdescudvJCsgt3ub+b4dWRWJTmaaJObGRdescudvJCs';
const DEAREST_BCRYPT = '$2b$14$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy';
const DEAREST = [DEAREST_BCRYPT, `$scrypt$ln=17,r=8,p=2$c29tZXNhbHRzb21lc2FsdA$${DIGEST}`] as const;

describe('foreign password hashes', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create({ config: ANY_NETWORK });
  });
  afterAll(() => {
    closeConnections();
    return app.close();
  });

  async function createUserWithHash(hash: string): Promise<string> {
    const { id, email } = await app.createUser();
    await app.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [id, hash]);
    return email;
  }

  async function metric(name: string, lane: string): Promise<number> {
    const { text } = await app.request('get', '/metrics');
    const line = text.split('\n').find((each) => each.startsWith(`${name}{lane="${lane}"`));
    return Number(line?.split(' ').at(-1));
  }

  it('do not block a sign-in with our own hash, whose wait has its own metric', async () => {
    const { email } = await app.createUser();
    const guessed = await Promise.all(DEAREST.map(createUserWithHash));
    const ended = async () =>
      (await metric('gatehouse_password_queue_wait_seconds_count', 'foreign')) +
      (await metric('gatehouse_password_queue_rejected_total', 'foreign'));
    const before = await ended();
    let refused = 0;
    const guesses = guessed.map(async (each) => {
      // On a busy machine the threads of low priority may take over 5 s for a hash, and those that wait are refused.
      expect([401, 503]).toContain((await login(app, { email: each })).status);
      refused++;
    });
    await until(
      async () => (await metric('gatehouse_password_queue_depth', 'foreign')) === DEAREST.length - 1,
    );
    expect((await login(app, { email, password: PASSWORD })).status).toBe(200);
    expect(refused).toBeLessThan(DEAREST.length);
    expect(await metric('gatehouse_password_queue_depth', 'own')).toBe(0);
    await Promise.all(guesses);
    expect(await ended()).toBe(before + DEAREST.length);
  });

  it('of the highest cost do not block cheap ones when their clients disconnect', async () => {
    const guessed = await Promise.all(Array.from({ length: 4 }, () => createUserWithHash(DEAREST_BCRYPT)));
    const cheap = await createUserWithHash(await bcrypt(PASSWORD, 5));
    const failuresInAll = async () => (await counters(app))[0]?.failures ?? 0;
    const before = await failuresInAll();
    const depth = () => metric('gatehouse_password_queue_depth', 'foreign');
    const left = guessed.map((email) => {
      const body = JSON.stringify({ email, password: 'not the right one' });
      const headers = { 'Content-Type': 'application/json', 'X-Forwarded-For': elsewhere() };
      const leave = new AbortController();
      const gone = fetch(`${app.url}/api/auth/login`, {
        method: 'POST',
        headers,
        body,
        signal: leave.signal,
      });
      return { leave, gone: expect(gone).rejects.toThrow('aborted') };
    });
    await until(async () => (await depth()) >= guessed.length - 1);
    for (const { leave } of left) leave.abort();
    await Promise.all(left.map(({ gone }) => gone));
    // All disconnect long before their turn.
    await until(async () => (await depth()) === 0);
    const since = performance.now();
    expect((await login(app, { email: cheap, password: PASSWORD })).status).toBe(200);
    expect(performance.now() - since).toBeLessThan(4000);
    // The running check finishes, and the others free their places.
    await until(async () => (await counters(app)).every(({ in_flight }) => in_flight === 0));
    expect((await failuresInAll()) - before).toBe(1);
  });

  it('are counted by format, regardless of salts and digests', async () => {
    const salts = ['c29tZXNhbHRzb21lc2FsdA', 'b3RoZXJzYWx0b3RoZXJzYQ'];
    const spellings = [
      ['$argon2id$v=19$m=19456,p=1,t=2', `$${DIGEST}`],
      ['$argon2d$m=1024,t=3,p=1', `$${DIGEST}`],
      ['$pbkdf2-sha256$i=1000,l=32', `$${DIGEST}=`],
      ['$pbkdf2-sha512$29000', `$${DIGEST.repeat(2)}`],
      ['$scrypt$ln=14,r=8,p=1', `==$${DIGEST}`],
    ] as const;
    const hashes = spellings.flatMap(([prefix, end]) => salts.map((salt) => `${prefix}$${salt}${end}`));
    hashes.push(
      ...[22, 23].map((length) => `$2b$12$${'N'.repeat(length)}${'l'.repeat(53 - length)}`),
      'none',
    );
    await Promise.all(hashes.map(createUserWithHash));
    await app.database.query(
      'UPDATE users SET password_hash = NULL WHERE password_hash <> ALL ($1::text[])',
      [hashes],
    );
    const counts = await app.nest.get(PasswordFormatsRepository).count();
    expect(counts).toHaveLength(spellings.length + 2);
    for (const [prefix, end] of spellings) {
      const digestLength = end.replaceAll('=', '').length - 1;
      expect(counts).toContainEqual({ prefix, digestLength, users: 2 });
    }
    expect(counts).toContainEqual({ prefix: '$2b$12', digestLength: 53, users: 2 });
  });

  it('are imitated for unknown addresses in the same proportion as users have them', async () => {
    const sampler = app.nest.get(PasswordFormatSampler);
    const decoys = app.nest.get(DecoyHashesService);
    await app.database.query('UPDATE users SET password_hash = $1', [await bcrypt(PASSWORD, 4)]);
    await sampler.refresh();
    expect(formatOf(decoys.forAddress('nobody@example.com'))).toBe('bcrypt/4');
    const before = await metric('gatehouse_password_queue_wait_seconds_count', 'foreign');
    expect((await login(app, { email: 'nobody@example.com' })).status).toBe(401);
    expect((await login(app, { email: 'no address' })).status).toBe(401);
    expect(await metric('gatehouse_password_queue_wait_seconds_count', 'foreign')).toBe(before + 2);
  });
});
