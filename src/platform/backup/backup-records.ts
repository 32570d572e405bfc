import { BackupFileError } from './backup-file.error.js';

/**
 * The contents of a backup are records: what is in it, then each table as pieces of its COPY data and an end, then a
 * closing record.
 */
export const RECORD_KINDS = { opening: 1, data: 2, tableEnd: 3, closing: 4 } as const;
export type RecordKind = keyof typeof RECORD_KINDS;

export interface BackupRecord {
  readonly kind: RecordKind;
  readonly body: Buffer;
}

/** Kind (1 byte) and length of the body (4 bytes). */
const PREFIX_BYTES = 5;
/** More than the description of 10,000 tables. Pieces of data are as large as one read from a socket. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

const KIND_OF = new Map(
  Object.entries(RECORD_KINDS).map(([kind, code]) => [code as number, kind as RecordKind]),
);

/** Yields the bytes of a record. */
export function* encodeRecord(kind: RecordKind, body: Buffer): Generator<Buffer> {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix[0] = RECORD_KINDS[kind];
  prefix.writeUInt32BE(body.length, 1);
  yield prefix;
  yield body;
}

/**
 * Yields the records in a stream of bytes and holds at most one.
 * @throws BackupFileError when the bytes are no records or end within one
 */
export async function* decodeRecords(source: AsyncIterable<Buffer>): AsyncGenerator<BackupRecord> {
  let pending: Buffer[] = [];
  let length = 0;
  let wanted = PREFIX_BYTES;
  for await (const bytes of source) {
    pending.push(bytes);
    length += bytes.length;
    if (length < wanted) continue;
    let joined = pending.length === 1 ? bytes : Buffer.concat(pending, length);
    for (;;) {
      wanted = joined.length < PREFIX_BYTES ? PREFIX_BYTES : PREFIX_BYTES + bodyLength(joined);
      if (joined.length < wanted) break;
      yield { kind: kindOf(joined), body: joined.subarray(PREFIX_BYTES, wanted) };
      joined = joined.subarray(wanted);
    }
    pending = joined.length === 0 ? [] : [joined];
    length = joined.length;
  }
  if (length > 0) throw new BackupFileError('ends within a record');
}

function bodyLength(record: Buffer): number {
  const length = record.readUInt32BE(1);
  if (length > MAX_RECORD_BYTES) throw new BackupFileError('contains a record that is too long');
  return length;
}

function kindOf(record: Buffer): RecordKind {
  const kind = KIND_OF.get(record[0] ?? 0);
  if (kind === undefined) throw new BackupFileError('contains an unknown kind of record');
  return kind;
}
