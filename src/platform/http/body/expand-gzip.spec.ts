import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../../common/errors/app.error.js';
import { expandGzip, MAX_GZIP_RATIO, UNJUDGED_BYTES } from './expand-gzip.js';

/** Yields the body in chunks of this size. */
async function* inChunks(body: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

interface Expanded {
  readonly bytes: Buffer;
  readonly refusal: AppError | null;
}

/** Expands until the end or a refusal. Rethrows every other error. */
async function expanded(body: AsyncIterable<Buffer>): Promise<Expanded> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of expandGzip(body)) chunks.push(chunk);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { bytes: Buffer.concat(chunks), refusal: error };
  }
  return { bytes: Buffer.concat(chunks), refusal: null };
}

/** Content of any density: a random part that does not compress, and a part of zeros that does. */
const content = fc
  .tuple(fc.uint8Array({ maxLength: 40_000 }), fc.nat(6 * UNJUDGED_BYTES))
  .map(([random, zeros]) => Buffer.concat([random, Buffer.alloc(zeros)]));

describe('the expansion of gzip', () => {
  it('yields exactly the content, or refuses it within the bounds of size and ratio', async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.integer({ min: 1, max: 70_000 }), async (plain, size) => {
        const packed = gzipSync(plain);
        const { bytes, refusal } = await expanded(inChunks(packed, size));
        const bound = Math.max(UNJUDGED_BYTES, packed.length * MAX_GZIP_RATIO);
        expect(bytes.length).toBeLessThanOrEqual(bound);
        expect(plain.subarray(0, bytes.length).equals(bytes)).toBe(true);
        if (plain.length > bound) expect(refusal?.code).toBe('PAYLOAD_TOO_LARGE');
        else if (refusal === null) expect(bytes.length).toBe(plain.length);
      }),
      { numRuns: 60 },
    );
  });

  it('accepts content of a usual ratio, however it is chunked', async () => {
    const line = (n: number) => `{"email":"person.${n}@import.example","name":"Person ${n}"}\n`;
    const plain = Buffer.from(Array.from({ length: 30_000 }, (_, n) => line(n)).join(''));
    for (const size of [1, 1000, 1_000_000]) {
      const { bytes, refusal } = await expanded(inChunks(gzipSync(plain), size));
      expect([bytes.equals(plain), refusal]).toEqual([true, null]);
    }
  });

  it('refuses a body that is not gzip or is cut off', async () => {
    const packed = gzipSync('some content that does not fit into a byte');
    for (const body of [Buffer.from('email,name\n'), packed.subarray(0, -5), Buffer.from([0x1f, 0x8b])]) {
      expect((await expanded(inChunks(body, 7))).refusal).toMatchObject({
        code: 'VALIDATION_ERROR',
        message: 'body must be valid gzip',
      });
    }
  });

  it('passes on an error of the body, and reads no further after it', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield gzipSync('begun').subarray(0, 12);
      throw new AppError('TIMEOUT');
    }
    expect((await expanded(broken())).refusal?.code).toBe('TIMEOUT');
  });

  it('stops reading the body when its reader stops', async () => {
    let left = false;
    async function* endless(): AsyncGenerator<Buffer> {
      const packed = gzipSync(Buffer.from(Array.from({ length: 200_000 }, (_, n) => n % 251)));
      try {
        for (;;) yield packed;
      } finally {
        left = true;
      }
    }
    for await (const chunk of expandGzip(endless())) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(left).toBe(true);
  });
});
