import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BackupCipher, CHUNK_BYTES, HEADER_BYTES, TAG_BYTES } from './backup.cipher.js';

const PASSPHRASE = 'a long passphrase';
const STORED_BYTES = CHUNK_BYTES + TAG_BYTES;

/** Yields the bytes in pieces, whose sizes have nothing to do with chunks. */
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function joined(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

const encrypted = (cipher: BackupCipher, plain: Buffer, size = 100_000): Promise<Buffer> =>
  joined(cipher.encrypt(inPieces(plain, size)));
const decrypted = (cipher: BackupCipher, stored: Buffer, size = 100_000): Promise<Buffer> =>
  joined(cipher.decrypt(inPieces(stored, size)));

/** Sizes around the borders of chunks, where mistakes hide. */
const size = fc.oneof(
  fc.nat(2000),
  fc
    .tuple(fc.nat(3), fc.integer({ min: -2, max: 2 }))
    .map(([chunks, more]) => Math.max(0, chunks * CHUNK_BYTES + more)),
);
const content = fc
  .tuple(size, fc.nat(255))
  .map(([bytes, first]) => Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => at * 7 + first)));

type Damage = (stored: Buffer) => Buffer;

const flip = fc.tuple(fc.nat(), fc.nat(7)).map(([at, bit]): Damage => (stored) => {
  const copy = Buffer.from(stored);
  const place = at % copy.length;
  copy[place] = (copy[place] ?? 0) ^ (1 << bit);
  return copy;
});
const cut = fc.nat().map(
  (at): Damage =>
    (stored) =>
      stored.subarray(0, at % stored.length),
);
const cutAfterChunk = fc.nat(3).map(
  (chunks): Damage =>
    (stored) =>
      stored.subarray(0, Math.min(chunks * STORED_BYTES, stored.length - 1)),
);
const append = fc.uint8Array({ minLength: 1, maxLength: 40 }).map(
  (more): Damage =>
    (stored) =>
      Buffer.concat([stored, more]),
);
const repeat = fc.constant<Damage>((stored) => Buffer.concat([stored.subarray(0, STORED_BYTES), stored]));
const drop = fc.constant<Damage>((stored) => stored.subarray(Math.min(STORED_BYTES, stored.length)));
const swap = fc.constant<Damage>((stored) =>
  Buffer.concat([
    stored.subarray(STORED_BYTES, 2 * STORED_BYTES),
    stored.subarray(0, STORED_BYTES),
    stored.subarray(2 * STORED_BYTES),
  ]),
);
const damage = fc.oneof(flip, cut, cutAfterChunk, append, repeat, drop, swap);

describe('the encryption of a backup', () => {
  let cipher: BackupCipher;
  let other: BackupCipher;
  beforeAll(async () => {
    [cipher, other] = [await BackupCipher.create(PASSPHRASE), await BackupCipher.create(PASSPHRASE)];
  });

  it('returns what was encrypted, whatever the sizes', async () => {
    const pieces = fc.integer({ min: 1, max: 200_000 });
    await fc.assert(
      fc.asyncProperty(content, pieces, pieces, async (plain, written, read) => {
        fc.pre(plain.length / Math.min(written, read) < 5000);
        expect((await decrypted(cipher, await encrypted(cipher, plain, written), read)).equals(plain)).toBe(
          true,
        );
      }),
      { numRuns: 100 },
    );
  });

  it('notices every damage', async () => {
    await fc.assert(
      fc.asyncProperty(content, damage, async (plain, harm) => {
        const stored = await encrypted(cipher, plain);
        const harmed = harm(stored);
        fc.pre(!harmed.equals(stored));
        await expect(decrypted(cipher, harmed)).rejects.toThrow(/^is (?:cut off or )?damaged/);
      }),
      { numRuns: 300 },
    );
  });

  it('yields nothing of a damaged chunk, and everything before it', async () => {
    const plain = Buffer.alloc(3 * CHUNK_BYTES, 1);
    const stored = await encrypted(cipher, plain);
    stored[STORED_BYTES + 5]! ^= 1;
    const read: Buffer[] = [];
    const reading = (async () => {
      for await (const piece of cipher.decrypt(inPieces(stored, 1000))) read.push(piece);
    })();
    await expect(reading).rejects.toThrow(
      `is damaged between the bytes ${HEADER_BYTES + STORED_BYTES} and ${HEADER_BYTES + 2 * STORED_BYTES}`,
    );
    expect(Buffer.concat(read)).toHaveLength(CHUNK_BYTES);
  });

  it('does not accept a chunk of another file with the same passphrase', async () => {
    const plain = Buffer.alloc(2 * CHUNK_BYTES);
    const [one, two] = [await encrypted(cipher, plain), await encrypted(other, plain)];
    const mixed = Buffer.concat([one.subarray(0, STORED_BYTES), two.subarray(STORED_BYTES)]);
    await expect(decrypted(cipher, mixed)).rejects.toThrow('is cut off or damaged');
  });

  it('opens its header with the passphrase alone, in either form of its characters', async () => {
    const made = await BackupCipher.create('a caf\u00e9 in the morning');
    const opened = await BackupCipher.open(made.header, 'a cafe\u0301 in the morning');
    expect(await decrypted(opened, await encrypted(made, Buffer.from('rows')))).toEqual(Buffer.from('rows'));
    await expect(BackupCipher.open(made.header, PASSPHRASE)).rejects.toThrow('has another passphrase');
  });

  it('says what is wrong with a header', async () => {
    const { header } = cipher;
    const opening = (bytes: Buffer) => BackupCipher.open(bytes, PASSPHRASE);
    await expect(opening(Buffer.from('PGDMP'))).rejects.toThrow('is not a backup of Gatehouse');
    await expect(opening(Buffer.alloc(0))).rejects.toThrow('is not a backup of Gatehouse');
    await expect(opening(header.subarray(0, -1))).rejects.toThrow('is cut off');
    const newer = Buffer.from(header);
    newer[8] = 2;
    await expect(opening(newer)).rejects.toThrow('has format 2');
    for (let at = 9; at < header.length; at++) {
      const harmed = Buffer.from(header);
      harmed[at]! ^= 1;
      // A MAC that is damaged looks like that of another passphrase, and costs a derivation each.
      if (at >= 60 && at % 16 !== 0) continue;
      await expect(opening(harmed)).rejects.toThrow(/damaged in its header|another passphrase/);
    }
  });
});
