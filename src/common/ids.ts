import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';
import { trimText } from './text.js';

/** A new UUIDv7 (RFC 9562): in time order, made by the service so that PostgreSQL 16 will do. */
export const newId = (): string => v7();

const RANDOM_BYTES = 16;
let randomBytesAhead = Buffer.alloc(0);

/** Returns a UUIDv7 for a request: in time order to the millisecond, and from random bytes drawn for many ids at once. */
export function newRequestId(): string {
  if (randomBytesAhead.length < RANDOM_BYTES) randomBytesAhead = randomBytes(256 * RANDOM_BYTES);
  const random = randomBytesAhead.subarray(0, RANDOM_BYTES);
  randomBytesAhead = randomBytesAhead.subarray(RANDOM_BYTES);
  return v7({ random });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The id in its one canonical spelling, or null when it is none. */
export const canonicalId = (value: unknown): string | null =>
  typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : null;

/** Returns what somebody has typed or pasted as an id, in its canonical spelling, or null when it is none. */
export const givenId = (value: unknown): string | null =>
  canonicalId(typeof value === 'string' ? trimText(value) : value);
