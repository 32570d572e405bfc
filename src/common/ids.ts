import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';
import { trimText } from './text.js';

/** The nil UUID (RFC 9562, 5.9): no record has it. */
export const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/**
 * Returns a new UUIDv7 (RFC 9562), which sorts by time. The service generates it because PostgreSQL 16
 * cannot.
 */
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

/** Returns the id in its canonical spelling, or null if the value is not an id. */
export const canonicalId = (value: unknown): string | null =>
  typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : null;

/** Returns a typed or pasted id in its canonical spelling, or null if the value is not an id. */
export const normalizeId = (value: unknown): string | null =>
  canonicalId(typeof value === 'string' ? trimText(value) : value);
