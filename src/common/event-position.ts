/**
 * A position in the order of all history. Numbers are decimal text because they exceed JavaScript's safe
 * integers.
 */
export interface EventPosition {
  readonly epoch: number;
  /** At most 2^64 - 1 (xid8). */
  readonly xid: string;
  /** At most 2^63 - 1. */
  readonly seq: string;
}

/** The position before every entry. */
export const START_POSITION: EventPosition = { epoch: 0, xid: '0', seq: '0' };

/** Returns the position after everything that this transaction wrote. */
export const endOfTransaction = ({ epoch, xid }: EventPosition): EventPosition => ({
  epoch,
  xid,
  seq: String(MAX_SEQ),
});

const EPOCH_DIGITS = 4;
const XID_DIGITS = 20;
const SEQ_DIGITS = 19;
const LENGTH = EPOCH_DIGITS + XID_DIGITS + SEQ_DIGITS;
const MAX_XID = 2n ** 64n - 1n;
const MAX_SEQ = 2n ** 63n - 1n;

/** Formats a position at a fixed length, so that it sorts the same as text and as a number. */
export function formatPosition({ epoch, xid, seq }: EventPosition): string {
  return (
    String(epoch).padStart(EPOCH_DIGITS, '0') + xid.padStart(XID_DIGITS, '0') + seq.padStart(SEQ_DIGITS, '0')
  );
}

export const isAfter = (one: EventPosition, other: EventPosition): boolean =>
  formatPosition(one) > formatPosition(other);

/** @returns null for text that is not a position */
export function parsePosition(text: string): EventPosition | null {
  if (text.length !== LENGTH || !/^\d+$/.test(text)) return null;
  const xid = BigInt(text.slice(EPOCH_DIGITS, -SEQ_DIGITS));
  const seq = BigInt(text.slice(-SEQ_DIGITS));
  if (xid > MAX_XID || seq > MAX_SEQ) return null;
  return { epoch: Number(text.slice(0, EPOCH_DIGITS)), xid: String(xid), seq: String(seq) };
}
