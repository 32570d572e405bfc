const OPERATIONS: ReadonlySet<string> = new Set(['select', 'insert', 'update', 'delete', 'copy']);
const LOCKS_ROWS = /\bFOR\s+(?:NO\s+KEY\s+)?(?:KEY\s+)?(?:UPDATE|SHARE)\b/i;
const TAKES_LOCK = /^\s*LOCK\b|\bpg_advisory_(?:xact_)?lock(?:_shared)?\s*\(/i;
const WRITES = /\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\b/i;
/** A SELECT without FROM may call a function for what it does. */
const SELECTS_FROM = /^\s*SELECT\b[^]*\bFROM\b/i;
/** Functions of the server and of the schema that do something; a new one of the schema is added here. */
const CALLS_WITH_EFFECT =
  /\b(?:pg_notify|nextval|setval|set_config|pg_(?:try_)?advisory_\w+|pg_(?:cancel|terminate)_backend|make_audit_\w+|(?:begin|drop|sample)_\w+)\s*\(/i;
const SELECTS_INTO = /^\s*SELECT\b[^]*\bINTO\b/i;

/** The text of whatever pg.Client.query was given; empty when it has none. */
export function statementText(query: unknown): string {
  if (typeof query === 'string') return query;
  if (typeof query !== 'object' || query === null || !('text' in query)) return '';
  return typeof query.text === 'string' ? query.text : '';
}

/** The first word decides; `WITH` counts as a select. The set is fixed: it becomes a metric label. */
export function operationOf(text: string): string {
  const word = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
  if (word === 'with') return 'select';
  return OPERATIONS.has(word) ? word : 'other';
}

/** Whether the statement may wait for a lock that somebody else holds. */
export const mayWaitForLocks = (text: string): boolean =>
  LOCKS_ROWS.test(text) || WRITES.test(text) || TAKES_LOCK.test(text);

/** Whether the statement does nothing but read, so that it may be sent twice; in doubt it does more. */
export const isRead = (text: string): boolean =>
  SELECTS_FROM.test(text) &&
  !SELECTS_INTO.test(text) &&
  !mayWaitForLocks(text) &&
  !CALLS_WITH_EFFECT.test(text);
