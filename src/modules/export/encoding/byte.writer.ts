/** The initial buffer size. */
const FIRST_BYTES = 40 * 1024;
const NOTHING = Buffer.alloc(0);

/** Builds text as bytes, front to back. */
export class ByteWriter {
  length = 0;
  private bytes: Buffer = NOTHING;
  private spare: Buffer | null = null;

  /**
   * Returns the bytes written since the last call. Later writes use another buffer until `giveBack` returns
   * this one.
   */
  take(): { readonly written: Buffer; readonly giveBack: () => void } {
    const { bytes } = this;
    const written = bytes.subarray(0, this.length);
    // The next write allocates a buffer on demand, so that a stalled reader holds none for later bytes.
    this.bytes = this.spare ?? NOTHING;
    this.spare = null;
    this.length = 0;
    return { written, giveBack: () => (this.spare = bytes) };
  }

  /**
   * Returns the buffer with room for `more` bytes after `length`. The caller writes there and advances
   * `length`.
   */
  reserve(more: number): Buffer {
    if (this.length + more > this.bytes.length) {
      const room = Buffer.allocUnsafe(Math.max(FIRST_BYTES, this.bytes.length * 2, this.length + more));
      this.bytes.copy(room, 0, 0, this.length);
      this.bytes = room;
    }
    return this.bytes;
  }

  text(text: string): void {
    const bytes = this.reserve(text.length * 3);
    this.length += bytes.write(text, this.length);
  }

  /** Appends text that consists of ASCII only. */
  ascii(text: string): void {
    const bytes = this.reserve(text.length);
    this.length += bytes.write(text, this.length, 'latin1');
  }

  constant(constant: Buffer): void {
    this.length = writeConstant(this.reserve(constant.length), this.length, constant);
  }

  /** Appends the bytes that `other` has written since `start`. */
  copyOf(other: ByteWriter, start: number): void {
    const size = other.length - start;
    other.bytes.copy(this.reserve(size), this.length, start, other.length);
    this.length += size;
  }
}

/** Copies a short constant in a loop, which is faster than a call of `copy`. @returns the end offset */
export function writeConstant(out: Buffer, at: number, constant: Buffer): number {
  for (let i = 0; i < constant.length; i++) out[at + i] = constant[i]!;
  return at + constant.length;
}
