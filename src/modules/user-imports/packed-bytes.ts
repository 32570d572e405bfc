const LENGTH_BYTES = 4;

/** Packs a head and byte strings into one buffer. The head tells their sizes. */
export function packBytes(head: unknown, parts: readonly Buffer[]): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, ...parts]);
}

/** Returns the head and the byte strings, still joined. The buffer comes from {@link packBytes}. */
export function unpackBytes(packed: Buffer): { readonly head: unknown; readonly body: Buffer } {
  const end = LENGTH_BYTES + packed.readUInt32BE();
  const head: unknown = JSON.parse(packed.toString('utf8', LENGTH_BYTES, end));
  return { head, body: packed.subarray(end) };
}
