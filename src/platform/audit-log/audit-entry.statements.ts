import { prepared } from '../database/driver/statements/prepared.js';

/** The columns of a prepared entry with their types, in the order of its values. */
const TYPED_COLUMNS = [
  ['id', 'uuid'],
  ['actor_type', 'text'],
  ['actor_id', 'uuid'],
  ['session_id', 'uuid'],
  ['action', 'text'],
  ['target_type', 'text'],
  ['target_id', 'text'],
  ['outcome', 'text'],
  ['request_id', 'text'],
  ['trace_id', 'text'],
  ['origin_key', 'uuid'],
  ['origin_sealed', 'bytea'],
  ['changes_key', 'uuid'],
  ['changes_sealed', 'bytea'],
  ['reason', 'text'],
  ['ip_digest', 'bytea'],
] as const;

export const ENTRY_COLUMNS: readonly string[] = TYPED_COLUMNS.map(([name]) => name);
const COLUMNS = ENTRY_COLUMNS.join(', ');

/** Returns the parameters of the values of one entry, each with its type. The first has number `first`. */
const parametersFrom = (first: number): string =>
  TYPED_COLUMNS.map(([, type], index) => `$${first + index}::${type}`).join(', ');

/** Returns the parameter of a column when the first has number 1. */
function parameterOf(column: (typeof TYPED_COLUMNS)[number][0]): string {
  const index = TYPED_COLUMNS.findIndex(([name]) => name === column);
  return `$${index + 1}::${TYPED_COLUMNS[index]?.[1]}`;
}

/**
 * Returns an INSERT that writes one entry for each row of `source`, for use inside a larger statement. Its
 * parameters, the values of a prepared entry, begin at number `first`.
 */
export const insertAuditEntryFrom = (source: string, first: number): string =>
  `INSERT INTO audit_entries (occurred_at, ${COLUMNS}) SELECT clock_timestamp(), ${parametersFrom(first)} FROM ${source}`;

/** The SQL expressions of the values to insert. */
interface IpUseValues {
  readonly ip: string;
  readonly month: string;
  readonly userId: string;
  readonly digest: string;
}

/**
 * Returns an INSERT of the use of an IP address. It inserts nothing if the use is stored or the user is erased. It locks
 * the key (`FOR SHARE`), so that an erasure either finds the row or prevents it. It locks nothing when the row exists.
 */
export function insertIpUse({ ip, month, userId, digest }: IpUseValues): string {
  return `INSERT INTO audit_ip_users (ip, month, user_id, digest)
   SELECT ${ip}, ${month}, user_id, ${digest} FROM account_keys
   WHERE user_id = ${userId} AND wrapped IS NOT NULL
     AND NOT EXISTS (SELECT FROM audit_ip_users AS known
                     WHERE known.ip = ${ip} AND known.month = ${month} AND known.user_id = ${userId})
   FOR SHARE OF account_keys
   ON CONFLICT DO NOTHING`;
}

export const INSERT_ENTRY = prepared(
  `INSERT INTO audit_entries (occurred_at, ${COLUMNS}) VALUES (clock_timestamp(), ${parametersFrom(1)})`,
);

/** Inserts an entry and the use of its IP address. Takes two more values: the lookup digest and the month. */
export const INSERT_ENTRY_AND_IP_USE = prepared(
  `WITH used AS (${insertIpUse({
    ip: `$${ENTRY_COLUMNS.length + 1}::bytea`,
    month: `$${ENTRY_COLUMNS.length + 2}::date`,
    userId: parameterOf('origin_key'),
    digest: parameterOf('ip_digest'),
  })})
   ${INSERT_ENTRY}`,
);

/** Inserts several entries. Takes an array for each column. */
export const INSERT_ENTRIES = prepared(
  `INSERT INTO audit_entries (epoch, occurred_at, ${COLUMNS})
   SELECT (SELECT current_epoch()), clock_timestamp(), ${COLUMNS}
   FROM unnest(${TYPED_COLUMNS.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')})
        WITH ORDINALITY AS entry (${COLUMNS}, place)
   ORDER BY place`,
);
