import { type EventPosition, START_POSITION } from '../../common/event-position.js';

/** The part of the first number that holds the transaction id. At 100,000 transactions a second it lasts 350 years. */
const XID_BITS = 50n;
const MAX_XID = (1n << XID_BITS) - 1n;

/** The id of the last entry of a stream that never had one. */
export const NO_ENTRY = '0-0';

/**
 * Returns the id of the Redis entry of an event: two numbers in the order of positions. Redis accepts only ids above the
 * last one, so it refuses an event that it has had.
 */
export function entryIdOf({ epoch, xid, seq }: EventPosition): string {
  const transaction = BigInt(xid);
  if (transaction > MAX_XID) throw new Error('the transaction id does not fit into the id of an entry');
  return `${(BigInt(epoch) << XID_BITS) | transaction}-${seq}`;
}

/** Returns the position of an entry. An id that comes from no position gives one before all events. */
export function positionOfEntry(id: string): EventPosition {
  const [, first = '', second = ''] = /^(\d+)-(\d+)$/.exec(id) ?? [];
  const number = BigInt(first || 0);
  const epoch = Number(number >> XID_BITS);
  return epoch === 0 ? START_POSITION : { epoch, xid: String(number & MAX_XID), seq: second };
}
