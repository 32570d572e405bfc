import type pg from 'pg';

interface Invariant {
  /** Completes the sentence "… must hold". */
  readonly name: string;
  /** Selects one row, with the key of the object, for each violation. */
  readonly violations: string;
}

export interface Violation {
  readonly invariant: string;
  /** The number of objects that violate it. */
  readonly count: number;
  /** The key of one of them. */
  readonly example: string;
}

/** The audit log may lack months that were dropped after an announcement, and no event is older than its first entry. */
const FIRST_ENTRY = `(SELECT epoch, xid FROM audit_entries ORDER BY epoch, xid, seq LIMIT 1)`;

/** Conditions that every committed state of the database fulfils, whatever was killed, cut off or restored before. */
export const INVARIANTS: readonly Invariant[] = [
  {
    name: 'every resource has an owner',
    violations: `
      SELECT r.id::text AS key FROM resources r LEFT JOIN users u ON u.id = r.owner_id WHERE u.id IS NULL`,
  },
  {
    name: 'every session and mailed code has a user',
    violations: `
      SELECT s.id::text AS key FROM sessions s LEFT JOIN users u ON u.id = s.user_id WHERE u.id IS NULL
      UNION ALL
      SELECT encode(t.hash, 'hex') FROM one_time_tokens t LEFT JOIN users u ON u.id = t.user_id WHERE u.id IS NULL`,
  },
  {
    name: 'only active users have sessions',
    violations: `
      SELECT s.id::text AS key FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.status <> 'active'`,
  },
  {
    name: 'every session has exactly one live refresh token',
    violations: `
      SELECT s.id::text AS key FROM sessions s
      LEFT JOIN refresh_tokens t ON t.session_id = s.id AND t.spent_at IS NULL
      GROUP BY s.id HAVING count(t.jti) <> 1`,
  },
  {
    name: 'the versions of the events of an object have no gaps',
    violations: `
      SELECT stream::text AS key FROM events GROUP BY stream
      HAVING max(stream_version) - min(stream_version) + 1 <> count(*)`,
  },
  {
    name: 'the events of an object are in the order of their versions',
    violations: `
      SELECT stream::text AS key FROM (
        SELECT stream, (epoch, xid, seq) < lag((epoch, xid, seq)) OVER (PARTITION BY stream ORDER BY stream_version) AS early
        FROM events) AS ordered
      WHERE early`,
  },
  {
    name: 'a user has the version of the last event',
    violations: `
      SELECT u.id::text AS key FROM users u
      JOIN (SELECT stream, max(stream_version) AS version FROM events GROUP BY stream) AS e ON e.stream = u.id
      WHERE u.version <> e.version`,
  },
  {
    name: 'every event has an audit entry of the same transaction',
    violations: `
      SELECT e.id::text AS key FROM events e
      LEFT JOIN (SELECT DISTINCT epoch, xid FROM audit_entries) AS a USING (epoch, xid)
      WHERE a.xid IS NULL AND (e.epoch, e.xid) >= ${FIRST_ENTRY}`,
  },
  {
    name: 'an erased user has no key, session or personal value',
    violations: `
      SELECT u.id::text AS key FROM users u LEFT JOIN account_keys k ON k.user_id = u.id
      WHERE u.erased_at IS NOT NULL AND (k.wrapped IS NOT NULL OR u.name <> '' OR u.password_hash IS NOT NULL)`,
  },
  {
    name: 'no position lies after the epoch of the database',
    violations: `
      SELECT epoch::text AS key FROM events WHERE epoch > current_epoch()
      UNION ALL SELECT epoch::text FROM audit_entries WHERE epoch > current_epoch()
      UNION ALL SELECT changed_epoch::text FROM users WHERE changed_epoch > current_epoch()`,
  },
  {
    name: 'the numbers of seals have no gaps',
    violations: `SELECT max(number)::text AS key FROM audit_seals HAVING max(number) <> count(*)`,
  },
  {
    name: 'a job has at most as many results as rows',
    violations: `SELECT id::text AS key FROM jobs WHERE done < 0 OR failed < 0 OR done + failed > total`,
  },
];

/**
 * Finds out which invariants the database violates, as of one moment. It reads all history, which takes seconds for
 * millions of events.
 */
export async function findViolations(client: pg.ClientBase): Promise<Violation[]> {
  const found: Violation[] = [];
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    for (const { name, violations } of INVARIANTS) {
      const { rows } = await client.query<{ count: string; example: string }>(
        `SELECT count(*) AS count, min(key) AS example FROM (${violations}) AS violations`,
      );
      const { count = '0', example = '' } = rows[0] ?? {};
      if (count !== '0') found.push({ invariant: name, count: Number(count), example });
    }
  } finally {
    await client.query('COMMIT');
  }
  return found;
}

export const describeViolation = ({ invariant, count, example }: Violation): string =>
  `it does not hold that ${invariant}: ${count} violations, such as ${example}`;
