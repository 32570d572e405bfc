import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeFields, textField, uuidField } from './encode-fields.js';
import { hashLeaf } from './merkle-tree.js';
import type { EventPosition } from '../../../common/event-position.js';

/** An audit entry as stored, with its personal values encrypted. Proofs cover these bytes for ever. */
export interface StoredEntry extends EventPosition {
  readonly id: string;
  readonly occurred_at: Date;
  readonly actor_type: string;
  readonly actor_id: string | null;
  readonly session_id: string | null;
  readonly action: string;
  readonly target_type: string | null;
  readonly target_id: string | null;
  readonly outcome: string;
  readonly request_id: string | null;
  readonly trace_id: string | null;
  readonly origin_key: string | null;
  readonly origin_sealed: Buffer | null;
  readonly changes_key: string | null;
  readonly changes_sealed: Buffer | null;
}

export type EntryColumn = keyof StoredEntry;
export type ColumnKind = 'number' | 'uuid' | 'time' | 'text' | 'bytes';

/** All columns in the order of their bytes. Changing this table requires a new {@link VERSION}. */
export const entryColumns: readonly (readonly [EntryColumn, ColumnKind])[] = [
  ['epoch', 'number'],
  ['xid', 'number'],
  ['seq', 'number'],
  ['id', 'uuid'],
  ['occurred_at', 'time'],
  ['actor_type', 'text'],
  ['actor_id', 'uuid'],
  ['session_id', 'uuid'],
  ['action', 'text'],
  ['target_type', 'text'],
  ['target_id', 'text'],
  ['outcome', 'text'],
  ['request_id', 'text'],
  ['trace_id', 'text'],
  ['origin_key', 'uuid'],
  ['origin_sealed', 'bytes'],
  ['changes_key', 'uuid'],
  ['changes_sealed', 'bytes'],
];

const VERSION = Buffer.of(1);
/** The number of entries hashed before yielding to other work, which takes a few milliseconds. */
const HASH_BATCH = 500;

/** Returns the bytes of an entry that form its leaf. No two entries have the same bytes. */
export function leafData(entry: StoredEntry): Buffer {
  const fields = entryColumns.map(([column, kind]) => fieldOf(entry[column], kind));
  return Buffer.concat([VERSION, encodeFields(fields)]);
}

export const leafHash = (entry: StoredEntry): Buffer => hashLeaf(leafData(entry));

export async function leafHashes(entries: readonly StoredEntry[]): Promise<Buffer[]> {
  const hashes: Buffer[] = [];
  for (const entry of entries) {
    hashes.push(leafHash(entry));
    if (hashes.length % HASH_BATCH === 0) await nextTurn();
  }
  return hashes;
}

function fieldOf(value: StoredEntry[EntryColumn], kind: ColumnKind): Buffer | null {
  if (value === null || Buffer.isBuffer(value)) return value;
  if (value instanceof Date) return textField(value.toISOString());
  return kind === 'uuid' ? uuidField(String(value)) : textField(String(value));
}
