const LENGTH_BYTES = 4;

/** Packs byte strings into one buffer, behind a head that tells their sizes. */
export function packBytes(head: readonly unknown[], parts: readonly Buffer[]): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, ...parts]);
}

/**
 * Returns each entry of the head with its bytes, as {@link packBytes} packed them. The bytes share the memory of
 * `packed`.
 * @param sizeOf returns the number of bytes of an entry
 */
export function unpackBytes<Entry>(
  packed: Buffer,
  sizeOf: (entry: Entry) => number,
): (readonly [entry: Entry, bytes: Buffer])[] {
  let at = LENGTH_BYTES + packed.readUInt32BE();
  const head = JSON.parse(packed.toString('utf8', LENGTH_BYTES, at)) as readonly Entry[];
  return head.map((entry) => {
    const bytes = packed.subarray(at, at + sizeOf(entry));
    at += bytes.length;
    return [entry, bytes];
  });
}
