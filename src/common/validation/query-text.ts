import { isUtf8 } from 'node:buffer';
import { AppError } from '../errors/app.error.js';
import { isUnsafeKey, unsafeTextFault } from './json-text.js';

/**
 * Parses the query of a URL into one string per name. It decodes strictly and once. The usual parsers turn
 * invalid UTF-8 into U+FFFD and a repeated name into an array, and both have hidden attacks. Node's limit on
 * the request line bounds the length.
 * @throws AppError `VALIDATION_ERROR`
 */
export function parseQuery(url: string): Record<string, string> {
  const start = url.indexOf('?');
  return start < 0 ? {} : parsePairs(url.slice(start + 1), 'query');
}

/**
 * Parses a body of the type `application/x-www-form-urlencoded` in the same way.
 * @throws AppError `VALIDATION_ERROR`
 */
export function parseForm(body: Buffer): Record<string, string> {
  if (!isUtf8(body)) throw notDecodable('body');
  return parsePairs(body.toString('utf8'), 'body');
}

type Whole = 'query' | 'body';

function parsePairs(text: string, whole: Whole): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals), whole);
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1), whole);
    if (isUnsafeKey(name) || unsafeTextFault(name)) {
      throw AppError.invalid(whole, `${whole} must not contain a forbidden parameter name`);
    }
    if (Object.hasOwn(pairs, name)) throw AppError.invalid(name, `${name} must be given only once`);
    const fault = unsafeTextFault(value);
    if (fault) throw AppError.invalid(name, `${name} ${fault}`);
    pairs[name] = value;
  }
  return pairs;
}

function decode(text: string, whole: Whole): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw notDecodable(whole);
  }
}

const notDecodable = (whole: Whole): AppError =>
  AppError.invalid(whole, `${whole} must be percent-encoded UTF-8`);
