import { createHash } from 'node:crypto';
import { AppError } from '../errors/app-error.js';
import { canonicalId } from '../ids.js';
import { unsafeText } from '../validation/json-text.js';

/** Where a page ended: the sort value and the id of its last row. */
export interface Position {
  readonly key: string;
  readonly id: string;
}

/** What a cursor was made for: the list, its filters and its sort. */
export type CursorScope = Readonly<Record<string, string | undefined>>;

/**
 * Opaque to clients. It holds nothing that the page did not show, so it needs no signature; the
 * checksum is there so that one that was damaged or edited on its way is refused, not followed to
 * a place where no page ended.
 */
export function encodeCursor(position: Position, scope: CursorScope): string {
  const made = digest(scope);
  const parts = [made, position.key, position.id, checksum(made, position)];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** @throws AppError `VALIDATION_ERROR` when it is none of ours, or was made for another list */
export function decodeCursor(cursor: string, scope: CursorScope): Position {
  const [made, key, id, sum] = parse(cursor);
  const ownId = canonicalId(id);
  if (typeof made !== 'string' || typeof key !== 'string' || ownId === null || ownId !== id) throw foreign();
  const position = { key, id: ownId };
  if (unsafeText(key) || sum !== checksum(made, position)) throw foreign();
  if (made !== digest(scope)) {
    throw AppError.invalid('cursor', 'cursor was made for other filters or another sort');
  }
  return position;
}

const foreign = (): AppError => AppError.invalid('cursor', 'cursor is not one that this list gave out');

/**
 * For a list in the order of time. A cursor is the client's word: only our own spelling passes, for
 * Date.parse takes much ("foo 1", 30 February) that PostgreSQL does not, and years that it has not.
 * @throws AppError `VALIDATION_ERROR`
 */
export function assertTimeKey(key: string): void {
  const time = Date.parse(key);
  const ours = /^(?!0000)\d{4}-/.test(key) && !Number.isNaN(time) && new Date(time).toISOString() === key;
  if (!ours) throw foreign();
}

/** Only the one spelling: base64url in Node passes over what does not belong, and over spare bits. */
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

const checksum = (made: string, { key, id }: Position): string => shortHash([made, key, id]);

const shortHash = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 16);
