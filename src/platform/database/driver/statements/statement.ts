const OPERATIONS: ReadonlySet<string> = new Set(['select', 'insert', 'update', 'delete', 'copy']);
const LOCKS_ROWS = /\bFOR\s+(?:NO\s+KEY\s+)?(?:KEY\s+)?(?:UPDATE|SHARE)\b/i;
const TAKES_LOCK = /^\s*LOCK\b|\bpg_advisory_(?:xact_)?lock(?:_shared)?\s*\(/i;
const WRITES = /\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\b/i;
/** Matches a SELECT with FROM. A SELECT without FROM may call a function for its side effect. */
const SELECTS_FROM = /^\s*SELECT\b[^]*\bFROM\b/i;
/** Functions of the server and of the schema that have side effects. Add new ones of the schema here. */
const CALLS_WITH_EFFECT =
  /\b(?:pg_notify|nextval|setval|set_config|pg_(?:try_)?advisory_\w+|pg_(?:cancel|terminate)_backend|make_audit_\w+|(?:begin|drop|sample)_\w+)\s*\(/i;
const SELECTS_INTO = /^\s*SELECT\b[^]*\bINTO\b/i;

/** Returns the text of an argument of pg.Client.query; empty when it has none. */
export function statementText(query: unknown): string {
  if (typeof query === 'string') return query;
  if (typeof query !== 'object' || query === null || !('text' in query)) return '';
  return typeof query.text === 'string' ? query.text : '';
}

/**
 * Returns the operation by the first word; `WITH` counts as a select. The set is fixed because it becomes a
 * metric label.
 */
export function operationOf(text: string): string {
  const word = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
  if (word === 'with') return 'select';
  return OPERATIONS.has(word) ? word : 'other';
}

/** Tells whether the statement may wait for a lock that another transaction holds. */
export const mayWaitForLocks = (text: string): boolean =>
  LOCKS_ROWS.test(text) || WRITES.test(text) || TAKES_LOCK.test(text);

/** Tells whether the statement only reads, so that it may be sent twice. When in doubt, returns false. */
export const isRead = (text: string): boolean =>
  SELECTS_FROM.test(text) &&
  !SELECTS_INTO.test(text) &&
  !mayWaitForLocks(text) &&
  !CALLS_WITH_EFFECT.test(text);
