import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { expectEnvelope } from '../../support/http/envelope.js';
import { Instance } from '../../support/app/instance.js';
import { freshKey, isReplay, newcomer, sameAgain, signUpKeyed } from '../../support/http/keyed.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { closeConnections } from '../../support/http/send.js';
import { TcpProxy } from '../../support/faults/tcp-proxy.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';

describe('an Idempotency-Key on two instances', () => {
  let database: TestDatabase;
  /**
   * A proxy in front of the database of the killed instance. The instance's data arrives, and the test
   * decides what it receives.
   */
  let path: TcpProxy;
  let killed: Instance | null = null;
  let other: Instance;

  const options = (url: string) => ({
    env: {
      NODE_ENV: 'test',
      LOG_LEVEL: 'silent',
      DATABASE_URL: url,
      LISTEN_DATABASE_URL: database.url,
      ADMIN_PASSWORD: ADMIN.password,
      MASTER_KEY,
    },
  });

  beforeAll(async () => {
    database = await TestDatabase.create();
    path = await TcpProxy.before(database.url);
    [killed, other] = await Instance.startTwo(options(path.through(database.url)), options(database.url));
  });
  beforeEach(async () => {
    path.swallow(null);
    killed ??= await Instance.start(options(path.through(database.url)));
  });
  afterAll(async () => {
    closeConnections();
    await Promise.all([killed?.stop(), other?.stop()]);
    await path?.cut();
    await database?.drop();
  });

  const countUsers = async (email: string) =>
    (await database.query('SELECT 1 FROM users WHERE email = $1', [email])).length;
  const doomed = (): Instance => {
    if (!killed) throw new Error('the instance was killed already');
    return killed;
  };
  const kill = async () => {
    const instance = doomed();
    killed = null;
    await instance.stop('SIGKILL');
  };
  /** Sends the request to the instance that is killed. @returns the final outcome */
  const lost = (key: string, body: object) =>
    signUpKeyed(doomed().url, key, body).then(
      ({ status }) => `answered ${status}`,
      () => 'lost',
    );

  it('runs once and returns the same response from both', async () => {
    const urls = [doomed().url, other.url];
    for (let round = 0; round < 3; round++) {
      const key = freshKey();
      const body = newcomer();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => signUpKeyed(urls[i % 2] ?? '', key, body)),
      );
      const done = answers.filter(({ status }) => status === 201);
      expect(done.filter((answer) => !isReplay(answer))).toHaveLength(1);
      for (const answer of answers) {
        if (answer.status !== 201) expectEnvelope(answer, 'CONFLICT');
      }
      for (const url of urls) done.push(await signUpKeyed(url, key, body));
      for (const answer of done) expect(sameAgain(answer)).toEqual(sameAgain(done[0] ?? answer));
      expect(await countUsers(body.email)).toBe(1);
    }
  });

  it('runs on the second when the first is killed before its commit', async () => {
    const key = freshKey();
    const body = newcomer();
    path.swallow('INSERT INTO idempotency_records');
    const before = path.swallowed;
    const first = lost(key, body);
    await until(() => path.swallowed > before);
    const running = await signUpKeyed(other.url, key, body);
    expectEnvelope(running, 'CONFLICT');
    expect(running.headers['retry-after']).toBe('1');
    await kill();
    expect(await first).toBe('lost');
    let answer = await signUpKeyed(other.url, key, body);
    // Waits until the database has noticed.
    await until(async () => {
      if (answer.status === 409) answer = await signUpKeyed(other.url, key, body);
      return answer.status !== 409;
    });
    expect([answer.status, isReplay(answer)]).toEqual([201, false]);
    expect(await countUsers(body.email)).toBe(1);
  });

  it('gets its response from the second when the first is killed between commit and response', async () => {
    const key = freshKey();
    const body = newcomer();
    path.swallow('COMMIT');
    const first = lost(key, body);
    await until(async () => (await countUsers(body.email)) === 1);
    await kill();
    expect(await first).toBe('lost');
    const answer = await signUpKeyed(other.url, key, body);
    expect([answer.status, isReplay(answer)]).toEqual([201, true]);
    const [row] = await database.query<{ id: string }>('SELECT id FROM users WHERE email = $1', [body.email]);
    expect(answer.json).toMatchObject({ id: row?.id, email: body.email });
    expect(answer.headers.location).toBe(`/api/users/${row?.id}`);
    expect(await countUsers(body.email)).toBe(1);
  });
});
