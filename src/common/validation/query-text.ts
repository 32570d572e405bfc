import { isUtf8 } from 'node:buffer';
import { AppError } from '../errors/app.error.js';
import { shownName } from '../text.js';
import { isUnsafeKey, unsafeTextFault } from './json-text.js';

/** Far more parameters than a client of OAuth sends. */
const MAX_FORM_PARAMETERS = 100;

/**
 * Parses the query of a URL into one string per name. It decodes strictly and once. The usual parsers turn
 * invalid UTF-8 into U+FFFD and a repeated name into an array, and both have hidden attacks. Node's limit on
 * the request line bounds the length.
 * @throws AppError `VALIDATION_ERROR`
 */
export function parseQuery(url: string): Record<string, string> {
  const start = url.indexOf('?');
  return start < 0 ? {} : parsePairs(url.slice(start + 1));
}

/**
 * Parses a body of the type `application/x-www-form-urlencoded` in the same way, but values may contain any characters.
 * Returns only the wanted parameters, and never names another one in an error, because it may be a secret.
 * @throws AppError `VALIDATION_ERROR`, also for more than {@link MAX_FORM_PARAMETERS}
 */
export function parseForm(body: Buffer, wanted: readonly string[]): Record<string, string> {
  if (!isUtf8(body)) throw notDecodable('body');
  const wantedPairs: Record<string, string> = {};
  const names = new Set<string>();
  for (const [name, value] of decodedPairs(body.toString('utf8'), 'body')) {
    const isWanted = wanted.includes(name);
    if (names.has(name)) throw repeated(isWanted ? name : 'body');
    if (names.size === MAX_FORM_PARAMETERS) {
      throw AppError.invalid('body', `body must not contain more than ${MAX_FORM_PARAMETERS} parameters`);
    }
    names.add(name);
    if (isWanted) wantedPairs[name] = value;
  }
  return wantedPairs;
}

type Whole = 'query' | 'body';

function parsePairs(text: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const [name, value] of decodedPairs(text, 'query')) {
    if (Object.hasOwn(pairs, name)) throw repeated(shownName(name));
    const fault = unsafeTextFault(value);
    if (fault) throw AppError.invalid(shownName(name), `${shownName(name)} ${fault}`);
    pairs[name] = value;
  }
  return pairs;
}

/** Yields names and values in their order. */
function* decodedPairs(text: string, whole: Whole): Generator<[name: string, value: string]> {
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals), whole);
    if (isUnsafeKey(name) || unsafeTextFault(name)) {
      throw AppError.invalid(whole, `${whole} must not contain a forbidden parameter name`);
    }
    yield [name, equals < 0 ? '' : decode(pair.slice(equals + 1), whole)];
  }
}

const repeated = (name: string): AppError =>
  AppError.invalid(
    name,
    name === 'body' ? 'body must not contain a parameter twice' : `${name} must be given only once`,
  );

function decode(text: string, whole: Whole): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw notDecodable(whole);
  }
}

const notDecodable = (whole: Whole): AppError =>
  AppError.invalid(whole, `${whole} must be percent-encoded UTF-8`);
