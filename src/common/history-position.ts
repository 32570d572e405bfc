/** A place in the order of all history; the numbers are in decimal, since they exceed those of JavaScript. */
export interface HistoryPosition {
  readonly epoch: number;
  /** Up to 2^64 - 1 (xid8). */
  readonly xid: string;
  /** Up to 2^63 - 1. */
  readonly seq: string;
}

/** Before everything. */
export const BEGINNING: HistoryPosition = { epoch: 0, xid: '0', seq: '0' };

const EPOCH_DIGITS = 4;
const XID_DIGITS = 20;
const SEQ_DIGITS = 19;
const LENGTH = EPOCH_DIGITS + XID_DIGITS + SEQ_DIGITS;
const MAX_XID = 2n ** 64n - 1n;
const MAX_SEQ = 2n ** 63n - 1n;

/** Of one length, so that its order is the same as a text and as a number. */
export function formatPosition({ epoch, xid, seq }: HistoryPosition): string {
  return (
    String(epoch).padStart(EPOCH_DIGITS, '0') + xid.padStart(XID_DIGITS, '0') + seq.padStart(SEQ_DIGITS, '0')
  );
}

export const isAfter = (one: HistoryPosition, other: HistoryPosition): boolean =>
  formatPosition(one) > formatPosition(other);

/** @returns null for a text that no position has */
export function parsePosition(text: string): HistoryPosition | null {
  if (text.length !== LENGTH || !/^\d+$/.test(text)) return null;
  const xid = BigInt(text.slice(EPOCH_DIGITS, -SEQ_DIGITS));
  const seq = BigInt(text.slice(-SEQ_DIGITS));
  if (xid > MAX_XID || seq > MAX_SEQ) return null;
  return { epoch: Number(text.slice(0, EPOCH_DIGITS)), xid: String(xid), seq: String(seq) };
}
