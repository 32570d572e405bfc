/** A place in the order of all history: the numbers are in decimal, since they exceed those of JavaScript. */
export interface TrailPosition {
  readonly epoch: number;
  readonly xid: string;
  readonly seq: string;
}

/** Before everything. */
export const BEGINNING: TrailPosition = { epoch: 0, xid: '0', seq: '0' };

const EPOCH_DIGITS = 4;
const XID_DIGITS = 20;
const SEQ_DIGITS = 19;

/** One decimal text in the order of the positions. */
export const positionText = ({ epoch, xid, seq }: TrailPosition): string =>
  String(epoch).padStart(EPOCH_DIGITS, '0') + xid.padStart(XID_DIGITS, '0') + seq.padStart(SEQ_DIGITS, '0');

export const isAfter = (one: TrailPosition, other: TrailPosition): boolean =>
  positionText(one) > positionText(other);
