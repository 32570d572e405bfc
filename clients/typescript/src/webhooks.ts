import type { EventResponse } from './generated/types.gen.js';

/** The number of seconds by which the time of a message may differ from the clock of the receiver. */
const TOLERANCE_SECONDS = 5 * 60;
/** The maximum number of signatures that are tried. The service sends two while a secret is rotated. */
const MAX_SIGNATURES = 16;
const SECRET_PREFIX = 'whsec_';

/** The headers of a request: those of `fetch`, or those of a `node:http` request, with names in lower case. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface WebhookMessage {
  /** The body exactly as it was received. Parsed and serialized again, it would have another signature. */
  readonly body: string | Uint8Array;
  readonly headers: WebhookHeaders;
}

export interface VerifyOptions {
  /** The time in ms since 1970; by default that of the clock. */
  readonly now?: number;
}

/** The error for a message that must not be trusted. Answer it with status 400 or 401. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
}

/**
 * Verifies the signature of a webhook (Standard Webhooks) and returns its event. A message may arrive more than once:
 * remember the `id` of the events that you have processed.
 * @throws WebhookVerificationError unless a secret has signed the message within the last five minutes
 */
export async function verifyWebhook(
  { body, headers }: WebhookMessage,
  secret: string,
  { now = Date.now() }: VerifyOptions = {},
): Promise<EventResponse> {
  const id = headerOf(headers, 'webhook-id');
  const timestamp = headerOf(headers, 'webhook-timestamp');
  const signatures = headerOf(headers, 'webhook-signature');
  assertCurrent(timestamp, now);
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const signed = concatenated(new TextEncoder().encode(`${id}.${timestamp}.`), bytes);
  const key = await importKey(secret);
  for (const each of signatures.split(' ').slice(0, MAX_SIGNATURES)) {
    const [version, encoded = ''] = each.split(',', 2);
    const signature = version === 'v1' ? bytesOf(encoded) : null;
    // Compares in constant time.
    if (signature && (await crypto.subtle.verify('HMAC', key, signature, signed))) return parseEvent(bytes);
  }
  throw new WebhookVerificationError('no signature matches the message and the secret');
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new WebhookVerificationError(`the header ${name} is missing`);
}

function assertCurrent(timestamp: string, now: number): void {
  const seconds = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : Number.NaN;
  const ageSeconds = now / 1000 - seconds;
  // A comparison with NaN is false.
  if (Math.abs(ageSeconds) <= TOLERANCE_SECONDS) return;
  throw new WebhookVerificationError('the time of the message is more than five minutes off');
}

/** Imports a secret. @throws TypeError for one that Gatehouse did not create, which is a mistake of the receiver */
function importKey(secret: string): Promise<CryptoKey> {
  const bytes = secret.startsWith(SECRET_PREFIX) ? bytesOf(secret.slice(SECRET_PREFIX.length)) : null;
  if (!bytes?.length)
    throw new TypeError(`the secret must begin with ${SECRET_PREFIX} and continue in base64`);
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

function concatenated(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}

function parseEvent(bytes: Uint8Array): EventResponse {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as EventResponse;
  } catch (cause) {
    throw new WebhookVerificationError('the body is no JSON', { cause });
  }
}
