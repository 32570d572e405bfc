import { usageError } from '../cli.error.js';
import type { FlagValues } from './flags.js';

const DEFAULT_LIMIT = '20';
/** Query parameters with a flag of their own. */
const NOT_FILTERS = new Set(['limit', 'cursor', 'offset', 'total', 'format', 'after', 'received']);

/** Returns the query parameters of `--filter` and `--fields`. @throws CliError for a filter without a name */
export function parseFilters({
  filter = [],
  fields,
}: Pick<FlagValues, 'filter' | 'fields'>): URLSearchParams {
  const query = new URLSearchParams(fields === undefined ? [] : [['fields', fields]]);
  for (const each of filter) {
    const at = each.indexOf('=');
    if (at < 1) throw usageError(`--filter must be name=value, not ${each}`);
    if (NOT_FILTERS.has(each.slice(0, at))) throw usageError(`--filter cannot set ${each.slice(0, at)}`);
    query.append(each.slice(0, at), each.slice(at + 1));
  }
  return query;
}

/** Returns the number of rows to list. @throws CliError unless it is a positive integer */
export function parseLimit(text = DEFAULT_LIMIT): number {
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 1) throw usageError('--limit must be a positive integer');
  return limit;
}
