import { elsewhere } from '../builders/guesses.js';
import { type Answer, bearer, send } from './send.js';
import type { TestUser } from '../app/test-app.js';

/** The limits that the contract states. */
export const LIMITS = {
  RATE_LIMIT_ANONYMOUS: 30,
  RATE_LIMIT_AUTHENTICATED: 100,
  RATE_LIMIT_PREMIUM: 1000,
  RATE_LIMIT_SIGN_IN: 120,
} as const;

/** The maximum number of times that one request is sent. */
const MAX_SENDS = 50;
/** Routes of different controllers, both public and protected. */
const ROUTES = ['/api/users/me', '/api/roles', '/api/auth/sessions', '/api/users?limit=nonsense'];

interface Limit {
  readonly status: number;
  readonly tier: string;
  readonly quota: number;
  readonly left: number;
  readonly seconds: number;
}

/** Parses the rate limit headers of a response (draft-ietf-httpapi-ratelimit-headers). */
export function limitOf({ status, headers, text }: Answer): Limit {
  const policy = /^"(\w+)";q=(\d+);w=60$/.exec(String(headers['ratelimit-policy']));
  const limit = /^"(\w+)";r=(\d+);t=(\d+)$/.exec(String(headers['ratelimit']));
  if (!policy || !limit || policy[1] !== limit[1]) {
    throw new Error(
      `a response with status ${status} has no rate limit headers: ${JSON.stringify(headers)} ${text}`,
    );
  }
  return {
    status,
    tier: policy[1] ?? '',
    quota: Number(policy[2]),
    left: Number(limit[2]),
    seconds: Number(limit[3]),
  };
}

interface Storm {
  readonly times: number;
  /** The client's address; by default each request comes from a new network. */
  readonly ip?: string;
  readonly user?: TestUser;
}

/** Sends `times` concurrent requests, over several routes and over all instances in turn. */
export function storm(
  instances: { readonly url: string } | readonly { readonly url: string }[],
  { times, ip, user }: Storm,
): Promise<Answer[]> {
  const urls = [instances].flat().map(({ url }) => url);
  return Promise.all(
    Array.from({ length: times }, (_, i) =>
      sendUntilServed(urls[i % urls.length] ?? '', {
        path: ROUTES[Math.floor(i / urls.length) % ROUTES.length] ?? '',
        headers: { 'X-Forwarded-For': ip ?? elsewhere(), ...(user && bearer(user)) },
      }),
    ),
  );
}

/** Sends a request again while a busy machine refuses it at the edge, before a rate limit has counted it. */
async function sendUntilServed(url: string, request: Parameters<typeof send>[1]): Promise<Answer> {
  for (let left = MAX_SENDS; ; left--) {
    const answer = await send(url, request);
    if (answer.status !== 503 || answer.headers['ratelimit'] !== undefined) return answer;
    if (left === 0) throw new Error(`refused ${MAX_SENDS} times: ${answer.text}`);
  }
}

export function statusesOf(answers: readonly Answer[]): { admitted: number; refused: number } {
  const refused = answers.filter(({ status }) => status === 429).length;
  return { admitted: answers.length - refused, refused };
}
