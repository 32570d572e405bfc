import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN, signIn } from '../../support/app/test-app.js';
import { FIREBASE, FIREBASE_KEY } from '../../support/builders/known-hashes.js';
import { logIn, type Pair, refreshed } from '../../support/builders/sessions.js';
import { TestDatabase } from '../../support/database/test-database.js';

const METRICS_TOKEN = 'metrics-token-of-the-log-test';
const PERSON = { email: 'ada.private@example.com', password: 'a secret of Ada 42', name: 'Ada Hidden' };
const CHANGED = 'another secret of Ada 43';
const WRONG = 'a wrong guess of Eve 17';
const PATH_SECRET = 'secret-in-a-target';

type Line = Readonly<Record<string, unknown>>;

// One process in production mode with verbose logging, and everything it logs during its life.
describe('the log of a process in production', () => {
  let database: TestDatabase;
  let instance: Instance;
  const secrets: string[] = [
    MASTER_KEY,
    METRICS_TOKEN,
    ADMIN.password,
    PERSON.password,
    CHANGED,
    WRONG,
    PATH_SECRET,
  ];
  const ids = { ok: 'log-test.ok', refused: 'log-test.refused', failed: 'log-test.failed' };

  beforeAll(async () => {
    database = await TestDatabase.create();
    const env = { ...database.addresses, MASTER_KEY, METRICS_TOKEN, ADMIN_PASSWORD: ADMIN.password };
    instance = await Instance.startInProduction({
      env: { ...env, LOG_LEVEL: 'debug', SHUTDOWN_GRACE_MS: '0' },
    });
    await live(instance.url);
  });
  afterAll(async () => {
    await instance?.stop();
    await database?.drop();
  });

  /** Signs up, signs in, fails, sends tokens to right and wrong places, and breaks the database. */
  async function live(url: string): Promise<void> {
    const { token } = await signIn(url, ADMIN.email, ADMIN.password);
    secrets.push(
      token,
      ...token.split('.').slice(1),
      decodeURIComponent(new URL(database.serviceUrl).password),
    );
    const client = supertest(url);
    await client.post('/api/users').set('X-Request-Id', ids.ok).send(PERSON).expect(201);
    await client.post('/api/users').send(PERSON).expect(409);
    await client
      .post('/api/users')
      .send({ ...PERSON, password: 'short', more: WRONG })
      .expect(400);
    await client
      .post('/api/users')
      .set('Content-Type', 'application/json')
      .send(`{"password":"${WRONG}`)
      .expect(400);
    await client.post('/api/auth/login').send({ email: PERSON.email, password: WRONG }).expect(401);
    await client.get('/api/users/me').auth(token, { type: 'bearer' }).expect(200);
    // Clients put secrets and addresses into paths by mistake.
    await client.get(`/api/users/${token}`).auth(token, { type: 'bearer' }).expect(400);
    await client.get(`/api/users/${PERSON.email}`).auth(token, { type: 'bearer' }).expect(400);
    await raw(url, `GET http://somebody:${PATH_SECRET}@localhost/nothing HTTP/1.1\r\nHost: localhost\r\n`);
    await client.get('/api/users/me').auth(`${token}x`, { type: 'bearer' }).expect(401);
    await client.get(`/api/users/me?access_token=${token}`).set('X-Request-Id', ids.refused).expect(401);
    await client.get('/api/users?search=very-private-words').auth(token, { type: 'bearer' }).expect(200);
    await client.get('/metrics').auth(METRICS_TOKEN, { type: 'bearer' }).expect(200);
    secrets.push('very-private-words', 'access_token=');
    const first = await logIn(url, PERSON.email, PERSON.password);
    const second = await refreshed(url, first.refresh_token);
    const changed = await client
      .put('/api/auth/password')
      .auth(second.access_token, { type: 'bearer' })
      .send({ current_password: PERSON.password, new_password: CHANGED })
      .expect(200);
    const third = changed.body as Pair;
    await client.post('/api/auth/logout').auth(third.access_token, { type: 'bearer' }).expect(204);
    for (const pair of [first, second, third]) {
      for (const issued of [pair.access_token, pair.refresh_token])
        secrets.push(...issued.split('.').slice(1));
    }
    for (let time = 0; time < 2; time++) {
      const asked = client.options('/api/users/me').set('Origin', 'https://shop.example');
      await asked.set('Access-Control-Request-Method', 'PATCH').expect(405);
    }
    const hash = `$2b$10$${'h'.repeat(21)}e${'h'.repeat(30)}m`;
    const file = JSON.stringify({ email: 'from.a.file@example.com', name: 'File', password_hash: hash });
    const sent = client.post('/api/users/import').auth(token, { type: 'bearer' });
    const firebase = JSON.stringify({ email: 'of.firebase@example.com', name: 'F', password_hash: FIREBASE });
    const lines = [file, file, firebase, firebase.replace('m=14', 'm=99'), `{${hash}`];
    await sent.set('Content-Type', 'application/x-ndjson').send(lines.join('\n')).expect(202);
    secrets.push(hash, 'from.a.file', 'of.firebase', FIREBASE_KEY.slice(0, 20));
    await database.query(`ALTER TABLE users ADD CONSTRAINT broken CHECK (name <> 'Broken Row') NOT VALID`);
    const broken = { email: 'broken.row@example.com', password: PERSON.password, name: 'Broken Row' };
    await client.post('/api/users').set('X-Request-Id', ids.failed).send(broken).expect(500);
    secrets.push('$argon2', broken.email);
  }

  /** Waits until the process has logged that request. */
  async function linesOf(requestId: string): Promise<Line[]> {
    const own = () => lines().filter((line) => line['request_id'] === requestId);
    await instance.until(() => own().some((line) => line['msg'] === 'request'));
    return own();
  }
  const lines = (): Line[] =>
    instance.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);

  it('records every change of sessions and credentials, with IDs only', async () => {
    await linesOf(ids.failed);
    const told = lines().filter((line) => line['context'] === 'Security');
    expect(new Set(told.map((line) => line['msg']))).toEqual(
      new Set([
        'user.created',
        'session.started',
        'sign_in.refused',
        'session.refreshed',
        'user.password_changed',
        'session.revoked',
      ]),
    );
    for (const line of told) expect(line['user_id']).toMatch(/^[0-9a-f-]{36}$/);
    // The start creates the first user.
    for (const line of told.slice(1)) expect(line['request_id']).toEqual(expect.any(String));
  });

  it('warns that mails are written to files', () => {
    expect(lines().filter(({ context, level }) => context === 'Mailer' && level === 'warn')).toMatchObject([
      { msg: expect.stringContaining('SMTP_URL') },
    ]);
  });

  it('warns once about an origin whose preflights were refused and names the variable that allows it', async () => {
    await linesOf(ids.failed);
    expect(lines().filter(({ context }) => context === 'Cors')).toMatchObject([
      { level: 'warn', origin: 'https://shop.example', msg: expect.stringContaining('CORS_ORIGINS') },
    ]);
  });

  it('has one JSON object per line, with time and level', async () => {
    await linesOf(ids.failed);
    expect(lines().length).toBeGreaterThan(10);
    for (const line of lines()) {
      expect(line).toMatchObject({
        level: expect.stringMatching(/^(?:fatal|error|warn|info|debug|trace)$/),
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      });
    }
    expect(instance.stderr).toBe('');
  });

  it('has the request ID of the response in each line of a request', async () => {
    expect(await linesOf(ids.ok)).toEqual([
      expect.objectContaining({ request_id: ids.ok, context: 'Security', msg: 'user.created' }),
      expect.objectContaining({
        msg: 'request',
        method: 'POST',
        route: '/api/users',
        path: '/api/users',
        status: 201,
      }),
    ]);
    const refused = await linesOf(ids.refused);
    expect(refused.map(({ msg, status, code }) => [msg, code ?? status])).toEqual([
      ['refused', 'UNAUTHORIZED'],
      ['request', 401],
    ]);
    const ofRequests = lines().filter(({ msg }) => ['request', 'refused', 'failed'].includes(String(msg)));
    expect(ofRequests.filter((line) => typeof line['request_id'] !== 'string')).toEqual([]);
  });

  it('explains at level error why the database refused, without the row', async () => {
    const failed = (await linesOf(ids.failed)).filter(({ level }) => level === 'error');
    expect(failed).toMatchObject([
      {
        msg: 'failed',
        code: 'DB_ERROR',
        err: { code: '23514', constraint: 'broken', stack: expect.any(String) },
      },
    ]);
  });

  it('has the level that an operator sets at run time', async () => {
    const { token } = await signIn(instance.url, ADMIN.email, ADMIN.password);
    secrets.push(token, ...token.split('.').slice(1));
    const setLevel = (level: string) =>
      supertest(instance.url)
        .put('/api/operations/log-level')
        .auth(token, { type: 'bearer' })
        .set('X-Request-Id', `log-test.${level}`)
        .send({ level })
        .expect(200);
    await setLevel('error');
    await supertest(instance.url).get('/api/roles').set('X-Request-Id', 'log-test.quiet').expect(401);
    await setLevel('debug');
    await linesOf('log-test.debug');
    expect(lines().filter((line) => line['request_id'] === 'log-test.quiet')).toEqual([]);
  });

  it('contains no password, token, key or query', async () => {
    await linesOf(ids.failed);
    const written = instance.stdout + instance.stderr;
    expect(secrets.filter((secret) => written.includes(secret))).toEqual([]);
    expect(written).not.toContain(PERSON.email);
  });

  it.each([
    ['a quote and a brace', 'x","level":"fatal","forged":"1'],
    ['65 characters', 'x'.repeat(65)],
    ['a blank', 'two words'],
    ['bytes above ASCII', 'x\u0085forged'],
    ['nothing', ''],
  ])('rejects an X-Request-Id with %s', async (_, forged) => {
    const answer = await raw(
      instance.url,
      `GET /api/nothing HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${forged}\r\n`,
    );
    const id = /^x-request-id: (.*)$/im.exec(answer)?.[1] ?? '';
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    expect(answer).toContain(`"request_id":"${id}"`);
    expect((await linesOf(id)).length).toBeGreaterThan(0);
    expect(instance.stdout).not.toContain('forged');
    if (forged !== '') expect(instance.stdout).not.toContain(forged);
  });

  it('does not warn about a database role that owns nothing', () => {
    expect(instance.stdout).not.toContain('triggers alone');
  });

  it('cannot be forged by a path, a header or a user agent', async () => {
    const line = '{"level":"fatal","msg":"injected"}';
    const tail = encodeURIComponent(`\n${line}\n`);
    await raw(
      instance.url,
      `GET /${tail} HTTP/1.1\r\nHost: x\r\nUser-Agent: \t${line}\r\nX-Request-Id: log-test.path\r\n`,
    );
    await linesOf('log-test.path');
    expect(lines().filter(({ msg }) => msg === 'injected')).toEqual([]);
  });
});

/** Sends one raw request over a new socket. */
function raw(url: string, head: string): Promise<string> {
  const { port, hostname } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname);
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.once('end', () => resolve(answer)).once('error', reject);
    socket.end(Buffer.from(`${head}Connection: close\r\n\r\n`, 'latin1'));
  });
}
