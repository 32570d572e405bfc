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
  return unpackBytes(packed, ([, sizeBytes]: LineHead) => sizeBytes).map(([[number, , fault], bytes]) => ({
    number,
    bytes,
    fault,
  }));
}
