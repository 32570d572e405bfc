import { expect, jest } from '@jest/globals';
import pg from 'pg';
import supertest, { type Response } from 'supertest';
import { SessionWatchService } from '../../../src/modules/auth/principals/session-watch.service.js';
import { PASSWORD, type TestApp } from '../app/test-app.js';
import type { TestDatabase } from '../database/test-database.js';
import { until } from '../app/until.js';
import { patiently } from '../http/patiently.js';

/** The tokens returned by sign-in, refresh and password change. */
export interface Pair {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly token_type: string;
  readonly expires_in: number;
}

export interface Claims {
  readonly sub: string;
  readonly jti: string;
  readonly sid: string;
  readonly iat: number;
  readonly exp: number;
  readonly roles?: string[];
}

/** Checks a complete token response that caches must not store. */
export function expectPair(answer: Response): void {
  expect(answer.status).toBe(200);
  expect(answer.get('Cache-Control')).toBe('no-store, no-transform');
  expect(answer.body).toEqual({
    access_token: expect.any(String),
    refresh_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: 900,
  });
}

/** A session as a client reads it. */
export interface SessionBody {
  readonly id: string;
  readonly device: string;
  readonly ip: string;
  readonly created_at: string;
  readonly last_seen_at: string;
  readonly expires_at: string;
  readonly current: boolean;
}

const part = (token: string, index: number): unknown =>
  JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString());

export const headerOf = (token: string) => part(token, 0) as Record<string, unknown>;
export const claimsOf = (token: string) => part(token, 1) as Claims;
export const sessionIdOf = ({ token }: { readonly token: string }): string => claimsOf(token).sid;

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Changes the unused bits of the last base64url character, so that the text decodes to the same bytes. */
export function respelled(text: string): string {
  if ((text.length - text.lastIndexOf('.') - 1) % 4 === 0)
    throw new Error('The last character has no unused bits');
  return text.slice(0, -1) + BASE64URL.charAt(BASE64URL.indexOf(text.slice(-1)) + 1);
}

/** Starts a new session of the user. */
export async function logIn(url: string, email: string, password = PASSWORD): Promise<Pair> {
  const answer = await supertest(url).post('/api/auth/login').send({ email, password });
  if (answer.status !== 200) throw new Error(`sign-in answered ${answer.status}: ${answer.text}`);
  return answer.body as Pair;
}

export const presentRefresh = (url: string, token: string): Promise<Response> =>
  patiently(() => supertest(url).post('/api/auth/refresh').send({ refresh_token: token }));

export async function refreshed(url: string, token: string): Promise<Pair> {
  const answer = await presentRefresh(url, token);
  if (answer.status !== 200) throw new Error(`refreshing answered ${answer.status}: ${answer.text}`);
  return answer.body as Pair;
}

/** Returns the status of a request with that bearer token for its own user: 200 or 401. */
export const statusOf = async (url: string, accessToken: string): Promise<number> =>
  (await supertest(url).get('/api/users/me').auth(accessToken, { type: 'bearer' })).status;

/** Makes the token look spent that much longer ago. */
export async function ageSpent(database: TestDatabase, token: string, seconds: number): Promise<void> {
  await database.query(
    'UPDATE refresh_tokens SET spent_at = spent_at - make_interval(secs => $2) WHERE jti = $1',
    [claimsOf(token).jti, seconds],
  );
}

/** Waits until that many connections of the service wait for a lock. */
export async function lockWaiters(database: TestDatabase, count: number): Promise<void> {
  const waiting = async () => {
    const rows = await database.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length;
  };
  await until(async () => (await waiting()) >= count, 20_000, `${count} waiting connections`);
}

/** Starts `work` while another transaction holds the changed rows, then commits that transaction. */
export async function whileChanging<T>(
  database: TestDatabase,
  change: { sql: string; values: unknown[] },
  work: { start: () => PromiseLike<T>[] },
): Promise<T[]> {
  const other = new pg.Client({ connectionString: database.url });
  await other.connect();
  try {
    await other.query('BEGIN');
    await other.query(change.sql, change.values);
    // supertest sends a request only when its response is awaited.
    const started = work.start().map((request) => request.then((answer) => answer));
    await lockWaiters(database, started.length);
    await other.query('COMMIT');
    return await Promise.all(started);
  } finally {
    await other.end();
  }
}

/** Lets the access token of the next stream expire in a moment. */
export function expireSoon(app: TestApp): void {
  const sessions = app.nest.get(SessionWatchService);
  const find = sessions.sessionOf.bind(sessions);
  jest.spyOn(sessions, 'sessionOf').mockImplementationOnce((token) => {
    const session = find(token);
    return session && { ...session, expiresAtMs: Date.now() + 300 };
  });
}
