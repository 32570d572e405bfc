import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';
import { PASSWORD, type TestUser, TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { mailTo, tokenIn } from '../../support/builders/mails.js';
import { createUserWith } from '../../support/builders/users.js';
import { StubUpstream } from '../../support/http/stub-upstream.js';

/** A password that the policy accepts and the stub knows from breaches. */
const BREACHED = 'a breached horse battery';
/** A password that the stub lists with the number 0, as padding. */
const PADDING = 'a padding horse battery';

/** More passwords than the service has connections to the database. */
const WAITING = 14;

let app: TestApp;
let upstream: StubUpstream;
let writer: TestUser;
const padded: (string | string[] | undefined)[] = [];
beforeAll(async () => {
  upstream = await StubUpstream.start(ranges);
  app = await TestApp.create({
    config: { OUTBOUND_ALLOW_PRIVATE: true, PWNED_PASSWORDS_URL: `${upstream.url}/range` },
  });
  writer = await createUserWith(app, ['users:write', 'users:read']);
});
afterAll(async () => {
  await app.close();
  await upstream.stop();
});
beforeEach(() => {
  upstream.answer = ranges;
});

/** Answers as the real service does: the rest of all hashes with the prefix, with padding. */
const ranges: RequestListener = (request, response) => {
  padded.push(request.headers['add-padding']);
  const prefix = request.url?.slice('/range/'.length) ?? '';
  const entries = [`${'0'.repeat(35)}:12`];
  for (const [password, count] of [
    [BREACHED, 42],
    [PADDING, 0],
  ] as const) {
    const hash = sha1(password);
    if (hash.startsWith(prefix)) entries.push(`${hash.slice(5)}:${count}`);
  }
  response.end(entries.join('\r\n'));
};
const sha1 = (password: string) => createHash('sha1').update(password).digest('hex').toUpperCase();

let addresses = 0;
const freshEmail = () => `chooser-${++addresses}@example.com`;
const signUp = (password: string, email = freshEmail()) =>
  app.request('post', '/api/users').send({ email, name: 'Somebody', password });

function expectRefused(answer: Response, field: string): void {
  const message = `${field} must not be one that is known from a data breach`;
  expect(answer.status).toBe(400);
  const error = { code: 'VALIDATION_ERROR', message, details: [{ field, message }] };
  expect(answer.body).toMatchObject({ error });
}

async function checks(result: string): Promise<number> {
  const { text } = await app.request('get', '/metrics');
  return Number(
    new RegExp(`^breached_password_checks_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
  );
}

/** Waits until passwords are compared again, after the service of ranges has failed. */
async function untilChecked(): Promise<void> {
  upstream.answer = ranges;
  let attempts = 0;
  const isChecked = async () =>
    (await signUp(`a later ${attempts++} horse battery`)).status === 201 &&
    (await signUp(BREACHED)).status === 400;
  await until(isChecked, 20_000);
}

describe('a password known from a breach', () => {
  it('is refused at sign-up and where an administrator sets it, without showing more than five digits of its hash', async () => {
    upstream.seen.length = 0;
    expectRefused(await signUp(BREACHED), 'password');
    const created = app.as(writer, 'post', '/api/users');
    expectRefused(await created.send({ email: freshEmail(), name: 'Guest', password: BREACHED }), 'password');
    expect(upstream.seen).toEqual([`GET /range/${sha1(BREACHED).slice(0, 5)}`]);
    expect(new Set(padded)).toEqual(new Set(['true']));
  });

  it('is refused at a change, at a reset and by an invited user', async () => {
    const user = await app.createUser();
    const changed = app.as(user, 'put', '/api/auth/password');
    expectRefused(await changed.send({ current_password: PASSWORD, new_password: BREACHED }), 'new_password');
    await app.request('post', '/api/auth/password/forgot').send({ email: user.email });
    const { text } = await mailTo(app, user.email, /password/i);
    const reset = (token: string, password: string) =>
      app.request('post', '/api/auth/password/reset').send({ token, new_password: password });
    expectRefused(await reset(tokenIn(text), BREACHED), 'new_password');
    // The refusal leaves the code valid.
    expect((await reset(tokenIn(text), 'a better horse battery')).status).toBe(204);

    const email = freshEmail();
    expect((await app.as(writer, 'post', '/api/users').send({ email, name: 'Guest' })).status).toBe(201);
    const invitation = await mailTo(app, email, /invited/);
    expectRefused(await reset(tokenIn(invitation.text), BREACHED), 'new_password');
  });

  it('is told apart from padding and from other passwords of its range', async () => {
    expect((await signUp(PADDING)).status).toBe(201);
    expect((await signUp('an unknown horse battery')).status).toBe(201);
  });

  it('is not looked up while the flag breached_passwords is off', async () => {
    const set = (setting: object) =>
      app
        .as(app.admin, 'put', '/api/flags/breached_passwords')
        .set('If-Match', '*')
        .send(setting)
        .expect(200);
    upstream.seen.length = 0;
    await set({ enabled: false });
    expect((await signUp(BREACHED)).status).toBe(201);
    expect(upstream.seen).toEqual([]);
    await set({ enabled: true });
    expectRefused(await signUp(BREACHED), 'password');
  });

  it('is not looked up when the policy refuses it anyway', async () => {
    upstream.seen.length = 0;
    expect((await signUp('password123')).status).toBe(400);
    expect(upstream.seen).toEqual([]);
  });
});

describe('a service of ranges that fails', () => {
  it.each<[string, RequestListener]>([
    ['with an error', (_, response) => response.writeHead(500).end()],
    ['with a page', (_, response) => response.end('<html>Welcome to the hotel</html>')],
    ['with nothing', (_, response) => response.end()],
    [
      'by a redirect',
      (_, response) => response.writeHead(302, { Location: 'http://169.254.169.254/' }).end(),
    ],
    ['by hanging up', (request) => request.socket.destroy()],
  ])('%s lets passwords pass and is counted', async (title, answer) => {
    const failed = await checks('failed');
    upstream.answer = answer;
    expect((await signUp(`${title} horse battery`)).status).toBe(201);
    expect(await checks('failed')).toBe(failed + 1);
  });

  it('by not answering holds up no other route, however many passwords wait for it', async () => {
    const changing = await Promise.all(Array.from({ length: WAITING / 2 }, () => app.createUser()));
    let attempts = 0;
    // Each of its own, because requests for the same range are shared.
    const passwordOf = (round: number, index: number) =>
      round === 0 ? PASSWORD : `a hasty ${round} ${index} horse battery`;
    await until(async () => {
      await untilChecked();
      upstream.answer = () => undefined;
      upstream.seen.length = 0;
      const round = attempts++;
      let answered = 0;
      const waiting = changing.flatMap((user, index) => [
        signUp(`a patient ${round} ${index} horse battery`),
        app
          .as(user, 'put', '/api/auth/password')
          .send({ current_password: passwordOf(round, index), new_password: passwordOf(round + 1, index) }),
      ]);
      const ended = Promise.all(waiting.map((each) => each.then(() => answered++)));
      await until(() => upstream.seen.length === WAITING || answered > 0);
      const others = await Promise.all([
        app.request('get', '/health/ready'),
        app.as(writer, 'get', '/api/users/me'),
        app.as(writer, 'get', '/api/users?limit=1'),
        app.as(writer, 'patch', '/api/users/me').send({ name: `Writer ${round}` }),
      ]);
      expect(others.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      // On a busy machine the first of them may have ended meanwhile; then it shows nothing.
      const allWaited = answered === 0;
      await ended;
      return allWaited;
    }, 50_000);
  });

  it('by not answering delays a sign-up for a while, then hardly', async () => {
    await untilChecked();
    upstream.answer = () => undefined;
    const refusals = async () => {
      const { text } = await app.request('get', '/metrics');
      return Number(/outcome="breaker_open"\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    let attempts = 0;
    const first = await refusals();
    await until(async () => {
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => signUp(`a slow ${attempts++} horse battery`)),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
      return (await refusals()) > first;
    }, 40_000);
    upstream.answer = ranges;
    await untilChecked();
  });
});
