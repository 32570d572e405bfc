import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import supertest from 'supertest';
import type { Instance } from '../../support/app/instance.js';
import {
  ageSpent,
  claimsOf,
  logIn,
  type Pair,
  presentRefresh,
  refreshed,
  statusOf,
} from '../../support/builders/sessions.js';
import { ADMIN } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { until } from '../../support/app/until.js';
import { startTwo } from '../../support/app/two-instances.js';

const CALLERS = 50;
const ROUNDS = 4;

describe('a session on two instances', () => {
  let database: TestDatabase;
  let instances: Instance[];
  beforeAll(async () => {
    database = await TestDatabase.create();
    instances = await startTwo(database, { REFRESH_GRACE_SECONDS: '60' });
  });
  afterAll(async () => {
    await Promise.all(instances.map((instance) => instance.stop()));
    await database.drop();
  });

  const on = (instance: number): string => instances[instance % 2]?.url ?? '';
  const login = () => logIn(on(0), ADMIN.email, ADMIN.password);
  const race = (token: string) =>
    Array.from({ length: CALLERS }, (_, caller) => presentRefresh(on(caller), token));
  const logout = (instance: number, token: string) =>
    supertest(on(instance)).post('/api/auth/logout').auth(token, { type: 'bearer' });
  const tokensOf = (sid: string) =>
    database.query<{ jti: string; spent: boolean }>(
      'SELECT jti, spent_at IS NOT NULL AS spent FROM refresh_tokens WHERE session_id = $1 ORDER BY issued_at, spent_at',
      [sid],
    );
  /** Both instances now cache the caller and would accept the token without a query. */
  const seen = async (token: string) =>
    expect([await statusOf(on(0), token), await statusOf(on(1), token)]).toEqual([200, 200]);

  it('keeps one live token when fifty clients refresh concurrently', async () => {
    let { refresh_token: token } = await login();
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await Promise.all(race(token));
      const pairs = answers.map(({ body }) => body as Pair);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const successors = new Set(pairs.map((pair) => claimsOf(pair.refresh_token).jti));
      expect(successors.size).toBe(1);
      const live = (await tokensOf(claimsOf(token).sid)).filter(({ spent }) => !spent);
      expect(live.map(({ jti }) => jti)).toEqual([...successors]);
      token = pairs[round]?.refresh_token ?? '';
    }
  });

  it('keeps no live token when a logout interrupts them', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const pair = await login();
      const racing = race(pair.refresh_token);
      // When the first one has a response, most of the others do not.
      await Promise.race(racing);
      expect((await logout(round, pair.access_token)).status).toBe(204);
      const answers = await Promise.all(racing);
      for (const { status } of answers) expect([200, 401]).toContain(status);
      const given = answers.filter(({ status }) => status === 200).map(({ body }) => body as Pair);
      expect(new Set(given.map((each) => claimsOf(each.refresh_token).jti)).size).toBeLessThanOrEqual(1);
      expect(await tokensOf(claimsOf(pair.access_token).sid)).toEqual([]);
      const last = given.at(-1) ?? pair;
      for (const instance of [0, 1]) {
        expect((await presentRefresh(on(instance), last.refresh_token)).status).toBe(401);
      }
      expect(await statusOf(on(round), last.access_token)).toBe(401);
      await until(async () => (await statusOf(on(round + 1), last.access_token)) === 401);
    }
  });

  it('ends at once where it was logged out, and a moment later on the other instance', async () => {
    const pair = await login();
    await seen(pair.access_token);
    expect((await logout(0, pair.access_token)).status).toBe(204);
    expect(await statusOf(on(0), pair.access_token)).toBe(401);
    for (const instance of [0, 1]) {
      expect((await presentRefresh(on(instance), pair.refresh_token)).status).toBe(401);
    }
    await until(async () => (await statusOf(on(1), pair.access_token)) === 401);
  });

  it('ends on both after a theft', async () => {
    const first = await login();
    const pair = await refreshed(on(1), first.refresh_token);
    await seen(pair.access_token);
    await ageSpent(database, first.refresh_token, 61);
    expect((await presentRefresh(on(0), first.refresh_token)).status).toBe(401);
    expect(await statusOf(on(0), pair.access_token)).toBe(401);
    expect((await presentRefresh(on(1), pair.refresh_token)).status).toBe(401);
    await until(async () => (await statusOf(on(1), pair.access_token)) === 401);
  });

  it('ends on the other instance when the password changes', async () => {
    const pair = await login();
    await seen(pair.access_token);
    const answer = await supertest(on(1))
      .put('/api/auth/password')
      .auth(pair.access_token, { type: 'bearer' })
      .send({ current_password: ADMIN.password, new_password: 'a better horse battery' });
    expect(answer.status).toBe(200);
    expect(await statusOf(on(1), pair.access_token)).toBe(401);
    await until(async () => (await statusOf(on(0), pair.access_token)) === 401);
    expect(await statusOf(on(0), (answer.body as Pair).access_token)).toBe(200);
  });
});
