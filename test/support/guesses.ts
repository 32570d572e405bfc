import { BruteForce } from '../../src/modules/auth/brute-force.js';
import type { TestApp } from './test-app.js';
import { type Answer, send } from './send.js';

/** Rate limits off, and a client's word for its address believed: each guess may come from elsewhere. */
export const ANYWHERE = { TRUSTED_PROXIES: ['127.0.0.1'] };

/** A hold that no test outlives: what it is held back by lies so far in the future. */
export const HELD_SECONDS = 600;

let networks = 0;

/** An address of a network that nobody has come from yet. */
export function elsewhere(): string {
  networks++;
  return `10.${networks >> 16}.${(networks >> 8) & 255}.${networks & 255}`;
}

export interface Guess {
  readonly email: string;
  readonly password?: string;
  /** By default one that nobody has come from yet. */
  readonly ip?: string;
}

export function login(app: { readonly url: string }, guess: Guess): Promise<Answer> {
  const { email, password = 'not the right one', ip = elsewhere() } = guess;
  return send(app.url, {
    method: 'POST',
    path: '/api/auth/login',
    headers: { 'X-Forwarded-For': ip },
    body: { email, password },
  });
}

/** Failures of that account, each from elsewhere, counted as the sign-in counts them, but for its hashing. */
export async function fail(app: TestApp, email: string, times: number): Promise<void> {
  const claimed = { emailKey: email, addresses: [] };
  for (let i = 0; i < times; i++) {
    const attempt = await app.nest.get(BruteForce).begin(claimed, elsewhere());
    await attempt.fail();
  }
}

/** Ten failures, which hold the next guess back for longer than any machine takes to make it. */
export async function holdBack(app: TestApp, email: string): Promise<void> {
  await fail(app, email, 10);
  await age(app, -HELD_SECONDS);
}

/** As if so much time had passed since the failures until now; below zero they lie in the future. */
export async function age(app: TestApp, seconds: number): Promise<void> {
  await app.database.query(
    `UPDATE sign_in_failures SET last_at = last_at - make_interval(secs => $1),
                                 blocked_until = blocked_until - make_interval(secs => $1)`,
    [seconds],
  );
}

export interface Counter {
  readonly key: Buffer;
  readonly failures: number;
  readonly in_flight: number;
  /** Seconds for which the last failure holds the next back; null when it does not. */
  readonly delay: number | null;
}

/** Highest first. */
export function counters(app: TestApp): Promise<Counter[]> {
  return app.database.query<Counter>(
    `SELECT key, failures, in_flight, round(extract(epoch FROM blocked_until - last_at))::integer AS delay
     FROM sign_in_failures ORDER BY failures DESC`,
  );
}

/** What the answer says but for the parts that are new in every one. */
export function comparable({ status, headers, text }: Answer): object {
  const { date: _date, 'retry-after': _wait, 'x-request-id': requestId = '', ...rest } = headers;
  return { status, headers: rest, text: text.replace(String(requestId), '') };
}
