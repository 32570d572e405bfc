import { createHash } from 'node:crypto';
import { AppError } from '../errors/app.error.js';
import { canonicalId } from '../ids.js';
import { unsafeTextFault } from '../validation/json-text.js';

/** The end of a page: the sort value and the id of its last row. */
export interface PageKey {
  readonly key: string;
  readonly id: string;
}

/** The query that a cursor belongs to: the list, its filters and its sort order. */
export type CursorScope = Readonly<Record<string, string | undefined>>;

/**
 * Encodes a cursor, which clients treat as opaque. It contains only values that the page showed, so it needs
 * no signature. A checksum detects a damaged or edited cursor, which would otherwise lead to a position where
 * no page ended.
 */
export function encodeCursor(position: PageKey, scope: CursorScope): string {
  const made = digest(scope);
  const parts = [made, position.key, position.id, checksum(made, position)];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Decodes a cursor. @throws AppError `VALIDATION_ERROR` when it is malformed or belongs to another query */
export function decodeCursor(cursor: string, scope: CursorScope): PageKey {
  const [made, key, id, sum] = parse(cursor);
  const ownId = canonicalId(id);
  if (typeof made !== 'string' || typeof key !== 'string' || ownId === null || ownId !== id)
    throw foreignCursor();
  const position = { key, id: ownId };
  if (unsafeTextFault(key) || sum !== checksum(made, position)) throw foreignCursor();
  if (made !== digest(scope)) {
    throw AppError.invalid('cursor', 'cursor belongs to other filters or another sort order');
  }
  return position;
}

const foreignCursor = (): AppError => AppError.invalid('cursor', 'cursor was not issued by this list');

/**
 * Checks the key of a list in time order. A client can forge a cursor, so only the service's own spelling
 * passes. Date.parse accepts text that PostgreSQL rejects ("foo 1", 30 February) and years that it lacks.
 * @throws AppError `VALIDATION_ERROR`
 */
export function assertTimeKey(key: string): void {
  const time = Date.parse(key);
  const ours = /^(?!0000)\d{4}-/.test(key) && !Number.isNaN(time) && new Date(time).toISOString() === key;
  if (!ours) throw foreignCursor();
}

/**
 * Accepts only the canonical spelling, because Node's base64url decoder ignores foreign characters and spare
 * bits.
 */
function parse(cursor: string): unknown[] {
  const bytes = Buffer.from(cursor, 'base64url');
  if (bytes.toString('base64url') !== cursor) return [];
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return Array.isArray(value) && value.length === 4 ? value : [];
  } catch {
    return [];
  }
}

function digest(scope: CursorScope): string {
  const entries = Object.entries(scope).filter(([, value]) => value !== undefined);
  return shortHash(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const checksum = (made: string, { key, id }: PageKey): string => shortHash([made, key, id]);

const shortHash = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 16);
