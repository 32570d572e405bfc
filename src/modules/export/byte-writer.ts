/** What is written at least, before the room has to grow. */
const FIRST_BYTES = 40 * 1024;
const NOTHING = Buffer.alloc(0);

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

  /** With room for so many bytes behind `length`: who writes there moves `length` on. */
  withRoom(more: number): Buffer {
    if (this.length + more > this.bytes.length) {
      const room = Buffer.allocUnsafe(Math.max(FIRST_BYTES, this.bytes.length * 2, this.length + more));
      this.bytes.copy(room, 0, 0, this.length);
      this.bytes = room;
    }
    return this.bytes;
  }

  text(text: string): void {
    const bytes = this.withRoom(text.length * 3);
    this.length += bytes.write(text, this.length);
  }

  /** Of ASCII alone. */
  ascii(text: string): void {
    const bytes = this.withRoom(text.length);
    this.length += bytes.write(text, this.length, 'latin1');
  }

  constant(constant: Buffer): void {
    this.length = put(this.withRoom(constant.length), this.length, constant);
  }

  /** What another has written since `start`. */
  copyOf(other: ByteWriter, start: number): void {
    const size = other.length - start;
    other.bytes.copy(this.withRoom(size), this.length, start, other.length);
    this.length += size;
  }
}

/** A short one: a loop is done before a call of `copy` has begun. @returns where it ends */
export function put(out: Buffer, at: number, constant: Buffer): number {
  for (let i = 0; i < constant.length; i++) out[at + i] = constant[i]!;
  return at + constant.length;
}
