import { request as httpRequest } from 'node:http';
import { SignInThrottle } from '../../../src/modules/auth/sign-in/sign-in.throttle.js';
import type { TestApp } from '../app/test-app.js';
import { type Answer, send } from '../http/send.js';
import { until } from '../app/until.js';

/** Settings that trust X-Forwarded-For, so that each guess may come from another network. */
export const ANY_NETWORK = { TRUSTED_PROXIES: ['127.0.0.1'] };

/** A delay that outlasts every test: the release time lies this far in the future. */
export const HELD_SECONDS = 600;

let networks = 0;

/** Returns an address in a network that has sent no request yet. */
export function elsewhere(): string {
  networks++;
  return `10.${networks >> 16}.${(networks >> 8) & 255}.${networks & 255}`;
}

export interface Guess {
  readonly email: string;
  readonly password?: string;
  /** The client's address; by default one in a new network. */
  readonly ip?: string;
}

/** Sends a wrong password and disconnects once `when` holds. */
export async function abandonLogin(
  app: { readonly url: string },
  email: string,
  when: () => Promise<boolean>,
): Promise<void> {
  const request = httpRequest(`${app.url}/api/auth/login`, {
    method: 'POST',
    agent: false,
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': elsewhere() },
  });
  request.on('error', () => undefined);
  request.end(JSON.stringify({ email, password: 'not the right one' }));
  await until(when, 10_000, 'the attempt in flight');
  request.destroy();
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

/** Records failed sign-ins of the user, each from a new network, as sign-in does but without hashing. */
export async function fail(app: TestApp, email: string, times: number): Promise<void> {
  const claimed = { emailKey: email, addresses: [] };
  for (let i = 0; i < times; i++) {
    const attempt = await app.nest.get(SignInThrottle).begin(claimed, elsewhere());
    await attempt.fail();
  }
}

/** Records ten failures, whose delay holds the next guess back longer than any machine takes to make it. */
export async function holdBack(app: TestApp, email: string): Promise<void> {
  await fail(app, email, 10);
  await age(app, -HELD_SECONDS);
}

/** Shifts all failures into the past by this time; a negative value shifts them into the future. */
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
  /** The delay in seconds that the last failure imposes; null when there is none. */
  readonly delay: number | null;
}

/** Returns the counters, highest first. */
export function counters(app: TestApp): Promise<Counter[]> {
  return app.database.query<Counter>(
    `SELECT key, failures, in_flight, round(extract(epoch FROM blocked_until - last_at))::integer AS delay
     FROM sign_in_failures ORDER BY failures DESC`,
  );
}

/** Returns the parts of a response that are not unique to it. */
export function comparable({ status, headers, text }: Answer): object {
  const { date: _date, 'retry-after': _wait, 'x-request-id': requestId = '', ...rest } = headers;
  return { status, headers: rest, text: text.replace(String(requestId), '') };
}
