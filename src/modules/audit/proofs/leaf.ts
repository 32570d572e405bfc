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
  readonly reason: string | null;
  readonly ip_digest: Buffer | null;
}

export type EntryColumn = keyof StoredEntry;
export type ColumnKind = 'number' | 'uuid' | 'time' | 'text' | 'bytes';

type Columns = readonly (readonly [EntryColumn, ColumnKind])[];

/** The columns of every leaf in the order of their bytes. */
const firstColumns: Columns = [
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

/** The columns that only leaves of version 2 have, after the others. */
export const laterColumns: Columns = [
  ['reason', 'text'],
  ['ip_digest', 'bytes'],
];

/** All columns. A further column requires a further version of leaves. */
export const entryColumns: Columns = [...firstColumns, ...laterColumns];

/** The newest version of leaves that this release writes. */
export const LEAF_VERSION = 2;
const [FIRST_VERSION, SECOND_VERSION] = [Buffer.of(1), Buffer.of(LEAF_VERSION)];
/** The number of entries hashed before yielding to other work, which takes a few milliseconds. */
const HASH_BATCH = 500;

/**
 * Returns the bytes of an entry that form its leaf. No two entries have the same bytes. An entry has version 1 if all
 * columns that this version lacks are null, as in entries of earlier releases. Adding a value to a stored entry therefore
 * changes its version and its hash.
 */
export function leafData(entry: StoredEntry): Buffer {
  const isFirst = laterColumns.every(([column]) => entry[column] === null);
  const columns = isFirst ? firstColumns : entryColumns;
  const fields = columns.map(([column, kind]) => fieldOf(entry[column], kind));
  return Buffer.concat([isFirst ? FIRST_VERSION : SECOND_VERSION, encodeFields(fields)]);
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
