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

/** Opaque to clients. It holds nothing that the page did not show, so it needs no signature. */
export function encodeCursor(position: Position, scope: CursorScope): string {
  return Buffer.from(JSON.stringify([digest(scope), position.key, position.id])).toString('base64url');
}

/** @throws AppError `VALIDATION_ERROR` when it is none of ours, or was made for another list */
export function decodeCursor(cursor: string, scope: CursorScope): Position {
  const [made, key, id] = parse(cursor);
  const position = { key, id: canonicalId(id) };
  if (typeof position.key !== 'string' || position.id === null || unsafeText(position.key)) {
    throw AppError.invalid('cursor', 'cursor is not one that this list gave out');
  }
  if (made !== digest(scope)) {
    throw AppError.invalid('cursor', 'cursor was made for other filters or another sort');
  }
  return { key: position.key, id: position.id };
}

function parse(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(value) && value.length === 3 ? value : [];
  } catch {
    return [];
  }
}

function digest(scope: CursorScope): string {
  // JSON leaves out what is undefined, and every list names its members in one order.
  return createHash('sha256').update(JSON.stringify(scope)).digest('base64url').slice(0, 16);
}
