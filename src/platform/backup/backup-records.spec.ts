import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  decodeRecords,
  encodeRecord,
  MAX_RECORD_BYTES,
  RECORD_KINDS,
  type RecordKind,
} from './backup-records.js';

const kinds = Object.keys(RECORD_KINDS) as RecordKind[];
const record = fc.record({
  kind: fc.constantFrom(...kinds),
  body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decoded(bytes: Buffer, size: number): Promise<{ kind: RecordKind; body: Buffer }[]> {
  const records: { kind: RecordKind; body: Buffer }[] = [];
  for await (const { kind, body } of decodeRecords(inPieces(bytes, size)))
    records.push({ kind, body: Buffer.from(body) });
  return records;
}

describe('the records of a backup', () => {
  it('are read as they were written, in whatever pieces they arrive', async () => {
    const pieces = fc.integer({ min: 1, max: 700 });
    await fc.assert(
      fc.asyncProperty(fc.array(record), pieces, async (records, size) => {
        const bytes = Buffer.concat(records.flatMap(({ kind, body }) => [...encodeRecord(kind, body)]));
        expect(await decoded(bytes, size)).toEqual(records);
      }),
    );
  });

  it('must be whole, of a known kind, and not too long', async () => {
    const bytes = Buffer.concat([...encodeRecord('data', Buffer.from('rows'))]);
    await expect(decoded(bytes.subarray(0, -1), 3)).rejects.toThrow('ends within a record');
    await expect(decoded(Buffer.from([9, 0, 0, 0, 0]), 9)).rejects.toThrow('an unknown kind');
    const long = Buffer.from([2, 0, 0, 0, 0]);
    long.writeUInt32BE(MAX_RECORD_BYTES + 1, 1);
    await expect(decoded(long, 9)).rejects.toThrow('too long');
  });
});
