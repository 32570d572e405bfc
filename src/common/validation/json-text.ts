import { isUtf8 } from 'node:buffer';
import { AppError } from '../errors/app.error.js';
import { shownName } from '../text.js';

/** The maximum nesting of arrays and objects in a body, including the outermost. */
export const MAX_JSON_DEPTH = 32;
/**
 * The maximum number of properties of an object. Validation compares every property with every other, so more
 * could take seconds.
 */
export const MAX_JSON_PROPERTIES = 100;
/** The length of the longest list in the contract. */
export const MAX_JSON_ITEMS = 10_000;
/** The maximum number of values in total, at any depth. */
export const MAX_JSON_VALUES = 50_000;

/**
 * Forbidden keys, because `__proto__`, `constructor` and `prototype` reach a prototype. The other names that
 * every object has (`toString`) are silently dropped by class-transformer, so no check would report them as
 * unknown.
 */
const UNSAFE_KEYS: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'prototype',
]);

/**
 * Parses one JSON body (RFC 8259). It is stricter than JSON.parse where lax parsing has led to attacks:
 * invalid UTF-8, lone surrogates, U+0000, nesting beyond {@link MAX_JSON_DEPTH}, and keys that reach a
 * prototype. With `anyText`, strings may contain any characters.
 * @throws AppError `VALIDATION_ERROR`
 */
export function parseJsonBody(bytes: Buffer, { anyText = false } = {}): unknown {
  if (!isUtf8(bytes)) throw AppError.invalid('body', 'body must be valid UTF-8');
  const text = bytes.toString('utf8');
  // Runs before parsing, so that a small body of brackets never becomes a deep structure.
  if (isNestedDeeperThan(text, MAX_JSON_DEPTH)) {
    throw AppError.invalid('body', `body must not be nested deeper than ${MAX_JSON_DEPTH} levels`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('VALIDATION_ERROR', { message: 'body must be valid JSON', cause });
  }
  assertSafe(value, 'body', { left: MAX_JSON_VALUES, anyText });
  return value;
}

/** Returns the error for a key or string with characters that no client has a reason to send, or null. */
export function unsafeTextFault(text: string): string | null {
  if (!text.isWellFormed()) return 'must not contain lone surrogates';
  if (text.includes('\0')) return 'must not contain U+0000';
  return null;
}

export const isUnsafeKey = (key: string): boolean => UNSAFE_KEYS.has(key);

function isNestedDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (quoted) {
      if (char === 0x5c) i++;
      else if (char === 0x22) quoted = false;
    } else if (char === 0x22) quoted = true;
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > limit) return true;
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
  return false;
}

interface Budget {
  /** The number of values that may follow. */
  left: number;
  readonly anyText: boolean;
}

/** Checks a value recursively. The depth was checked before; `budget` bounds the total. */
function assertSafe(value: unknown, field: string, budget: Budget): void {
  if (budget.left-- === 0) {
    throw AppError.invalid('body', `body must not contain more than ${MAX_JSON_VALUES} values`);
  }
  if (typeof value === 'string') {
    const fault = budget.anyText ? null : unsafeTextFault(value);
    if (fault) throw AppError.invalid(field, `${field} ${fault}`);
  } else if (Array.isArray(value)) {
    if (value.length > MAX_JSON_ITEMS) {
      throw AppError.invalid(field, `${field} must not contain more than ${MAX_JSON_ITEMS} items`);
    }
    for (const item of value) assertSafe(item, field, budget);
  } else if (typeof value === 'object' && value !== null) {
    assertSafeProperties(Object.entries(value), field, budget);
  }
}

function assertSafeProperties(entries: readonly [string, unknown][], field: string, budget: Budget): void {
  if (entries.length > MAX_JSON_PROPERTIES) {
    throw AppError.invalid(field, `${field} must not contain more than ${MAX_JSON_PROPERTIES} properties`);
  }
  for (const [key, item] of entries) {
    if (isUnsafeKey(key) || unsafeTextFault(key)) {
      throw AppError.invalid(field, `${field} must not contain a forbidden property name`);
    }
    assertSafe(item, field === 'body' ? shownName(key) : field, budget);
  }
}
