import type { Line } from './line.splitter.js';
import { packBytes, unpackBytes } from './packed-bytes.js';

type LineHead = readonly [number: number, sizeBytes: number, fault: string | null];

/** Packs lines with their numbers and exact bytes. */
export const packLines = (lines: readonly Line[]): Buffer =>
  packBytes(
    lines.map(({ number, bytes, fault }): LineHead => [number, bytes.length, fault]),
    lines.map(({ bytes }) => bytes),
  );

/** Returns the lines of {@link packLines}. Their bytes share the memory of `packed`. */
export function unpackLines(packed: Buffer): Line[] {
  const { head, body } = unpackBytes(packed);
  let at = 0;
  return (head as readonly LineHead[]).map(([number, sizeBytes, fault]) => {
    const bytes = body.subarray(at, at + sizeBytes);
    at += sizeBytes;
    return { number, bytes, fault };
  });
}
