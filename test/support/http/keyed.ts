import type { IncomingHttpHeaders } from 'node:http';
import { type Answer, send } from './send.js';
import { PASSWORD } from '../app/test-app.js';

let keys = 0;

export const freshKey = (): string => `key-${++keys}`;

export const newcomer = (email = `keyed-${++keys}@example.com`) => ({
  email,
  password: PASSWORD,
  name: 'Keyed',
});

/** Signs up with this Idempotency-Key. */
export const signUpKeyed = (
  url: string,
  key: string,
  body: unknown = newcomer(),
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  send(url, { method: 'POST', path: '/api/users', headers: { 'Idempotency-Key': key, ...headers }, body });

export const isReplay = ({ headers }: Answer): boolean => headers['idempotency-replayed'] === 'true';

/** Headers that belong to one exchange rather than to the response. */
const OWN = new Set(['date', 'connection', 'keep-alive', 'x-request-id', 'idempotency-replayed']);

/** Returns the parts that must be equal in every replay of a response. */
export const sameAgain = ({ status, text, headers }: Answer) => ({
  status,
  text,
  headers: Object.fromEntries(
    Object.entries(headers).filter(([name]) => !OWN.has(name)),
  ) as IncomingHttpHeaders,
});
