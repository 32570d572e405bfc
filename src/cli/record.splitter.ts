const LINE_FEED = 0x0a;
const QUOTE = 0x22;

/**
 * Finds the ends of complete records in chunked bytes. In CSV a line feed within quotes does not end a record
 * (RFC 4180).
 */
export class RecordSplitter {
  /** The number of complete records so far. */
  records = 0;
  private begun: Buffer[] = [];
  private quoted = false;

  constructor(private readonly isCsv: boolean) {}

  /** Adds a chunk. @returns the records complete by now, with their line ends */
  push(chunk: Buffer): Buffer {
    let end = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (this.isCsv && chunk[at] === QUOTE) this.quoted = !this.quoted;
      if (chunk[at] !== LINE_FEED || this.quoted) continue;
      this.records++;
      end = at + 1;
    }
    if (end === 0) {
      this.begun.push(chunk);
      return Buffer.alloc(0);
    }
    const whole = Buffer.concat([...this.begun, chunk.subarray(0, end)]);
    this.begun = end < chunk.length ? [chunk.subarray(end)] : [];
    return whole;
  }
}
