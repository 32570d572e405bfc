/** What is written at least, before the room has to grow. */
const FIRST_BYTES = 40 * 1024;
/** Shorter ones are copied faster byte by byte. */
const SHORT_BYTES = 48;
const NOTHING = Buffer.alloc(0);
const ZERO = 0x30;
const COLON = 0x3a;
const POINT = 0x2e;
const HEX = Buffer.from('0123456789abcdef');

/** Text as bytes, written from its beginning to its end. */
export class ByteWriter {
  length = 0;
  private bytes: Buffer = NOTHING;
  private spare: Buffer | null = null;

  /** What was written since the last time; the next is written elsewhere, until it is given back. */
  take(): { readonly written: Buffer; readonly giveBack: () => void } {
    const { bytes } = this;
    const written = bytes.subarray(0, this.length);
    // A reader who stalls need not hold room for what comes next.
    this.bytes = this.spare ?? NOTHING;
    this.spare = null;
    this.length = 0;
    return { written, giveBack: () => (this.spare = bytes) };
  }

  /** Bytes that are the same in every row. */
  bytesOf(constant: Buffer): void {
    this.copy(constant, 0, constant.length);
  }

  /** Of short texts of ASCII alone. */
  ascii(text: string): void {
    this.reserve(text.length);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  text(text: string): void {
    this.reserve(text.length * 3);
    this.length += this.bytes.write(text, this.length);
  }

  copy(source: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    if (end - start > SHORT_BYTES) {
      source.copy(this.bytes, this.length, start, end);
      this.length += end - start;
      return;
    }
    const { bytes } = this;
    let at = this.length;
    for (let i = start; i < end; i++) bytes[at++] = source[i]!;
    this.length = at;
  }

  /** What another has written since `start`. */
  copyOf(other: ByteWriter, start: number): void {
    this.copy(other.bytes, start, other.length);
  }

  /** The 16 bytes of a UUID in its canonical form. */
  uuid(source: Buffer, start: number): void {
    this.reserve(36);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) bytes[at++] = 0x2d;
      const byte = source[start + i]!;
      bytes[at++] = HEX[byte >> 4]!;
      bytes[at++] = HEX[byte & 15]!;
    }
    this.length = at;
  }

  /** `12:00:00.123`, of that many milliseconds into a day. */
  timeOfDay(ms: number): void {
    this.reserve(12);
    // Whole numbers of 31 bits, which is what makes it quick.
    const inSecond = (ms % 1000) | 0;
    const seconds = ((ms - inSecond) / 1000) | 0;
    const minutes = (seconds / 60) | 0;
    this.pair((minutes / 60) | 0, 0);
    this.bytes[this.length + 2] = COLON;
    this.pair(minutes % 60, 3);
    this.bytes[this.length + 5] = COLON;
    this.pair(seconds % 60, 6);
    this.bytes[this.length + 8] = POINT;
    this.bytes[this.length + 9] = ZERO + ((inSecond / 100) | 0);
    this.pair(inSecond % 100, 10);
    this.length += 12;
  }

  byte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length++] = byte;
  }

  private pair(value: number, at: number): void {
    this.bytes[this.length + at] = ZERO + ((value / 10) | 0);
    this.bytes[this.length + at + 1] = ZERO + (value % 10);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const room = Buffer.allocUnsafe(Math.max(FIRST_BYTES, this.bytes.length * 2, this.length + more));
    this.bytes.copy(room, 0, 0, this.length);
    this.bytes = room;
  }
}
