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
  const query: Record<string, string> = {};
  if (start < 0) return query;
  for (const pair of url.slice(start + 1).split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
    if (isUnsafeKey(name) || unsafeTextFault(name)) {
      throw AppError.invalid('query', 'query must not contain a forbidden parameter name');
    }
    if (Object.hasOwn(query, name)) throw AppError.invalid(name, `${name} must be given only once`);
    const fault = unsafeTextFault(value);
    if (fault) throw AppError.invalid(name, `${name} ${fault}`);
    query[name] = value;
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw AppError.invalid('query', 'query must be percent-encoded UTF-8');
  }
}
