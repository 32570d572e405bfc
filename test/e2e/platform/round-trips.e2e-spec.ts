import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { logIn, refreshed } from '../../support/builders/sessions.js';
import { statementsOf } from '../../support/database/statements.js';
import { type TestUser, PASSWORD, TestApp } from '../../support/app/test-app.js';

const TRIES = 5;

/**
 * The number of times that a request waits for PostgreSQL. It is counted for a caller whose principal and
 * encryption key the instance has cached.
 */
describe('the round trips of a request', () => {
  let app: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    await stopBackgroundWork(app);
    user = await app.createUser();
  });
  afterAll(() => app.close());

  const signUp = (number: number) =>
    app
      .request('post', '/api/users')
      .send({ email: `new-${number}@example.com`, name: 'New', password: PASSWORD });
  const rename = (number: number) => app.as(user, 'patch', '/api/users/me').send({ name: `Name ${number}` });
  const signIn = (password: string) =>
    app.request('post', '/api/auth/login').send({ email: user.email, password });

  /** Background tasks share the pool, so the fewest of several tries count. */
  const fewest = async (request: (number: number) => PromiseLike<unknown>): Promise<number> => {
    const costs: number[] = [];
    for (let number = 0; number < TRIES; number++) costs.push(await statementsOf(() => request(number)));
    return Math.min(...costs);
  };

  it.each([
    ['GET /api/users/me', 1, () => app.as(user, 'get', '/api/users/me').expect(200)],
    ['PATCH /api/users/me', 3, (number: number) => rename(number).expect(200)],
    ['POST /api/users', 3, (number: number) => signUp(number).expect(201)],
    ['POST /api/auth/login', 4, () => signIn(PASSWORD).expect(200)],
    ['POST /api/auth/login with a wrong password', 5, () => signIn('wrong password').expect(401)],
  ])('%s waits %i times for the database', async (_route, trips, request) => {
    await request(TRIES);
    expect(await fewest(request)).toBe(trips);
  });

  it('POST /api/auth/refresh waits once for the database', async () => {
    let { refresh_token: token } = await logIn(app.url, user.email);
    const refresh = async () => void (token = (await refreshed(app.url, token)).refresh_token);
    await refresh();
    expect(await fewest(refresh)).toBe(1);
  });
});
