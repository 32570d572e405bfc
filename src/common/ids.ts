import { v7 } from 'uuid';
import { nextRandomBytes } from './random-bytes.js';
import { trimText } from './text.js';

/** The nil UUID (RFC 9562, 5.9): no record has it. */
export const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const RANDOM_BYTES = 16;
/** The largest value of the sequence in a UUIDv7 of the library, which starts anywhere in the lower half. */
const MAX_SEQUENCE = 0xff_ff_ff_ff;
let latest = { msecs: -Infinity, seq: 0 };

/**
 * Returns a new UUIDv7 (RFC 9562), which sorts after all earlier ones of this process. The service generates it
 * because PostgreSQL 16 cannot. It keeps the order itself: the library does so only with random bytes of its own, which
 * it draws for each id at ten times the cost.
 */
export function newId(): string {
  const random = nextRandomBytes(RANDOM_BYTES);
  const now = Date.now();
  if (now > latest.msecs) latest = { msecs: now, seq: random.readUInt32BE(6) >>> 1 };
  else if (latest.seq < MAX_SEQUENCE) latest.seq++;
  else latest = { msecs: latest.msecs + 1, seq: 0 };
  return v7({ random, ...latest });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Returns the id in its canonical spelling, or null if the value is not an id. */
export const canonicalId = (value: unknown): string | null =>
  typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : null;

/** Returns a typed or pasted id in its canonical spelling, or null if the value is not an id. */
export const normalizeId = (value: unknown): string | null =>
  canonicalId(typeof value === 'string' ? trimText(value) : value);
