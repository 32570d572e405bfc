import { SealWriter } from '../../../src/modules/audit/sealing/seal.writer.js';
import type { TestApp, TestUser } from '../app/test-app.js';
import type { TestDatabase } from '../database/test-database.js';
import { until } from '../app/until.js';
import { NOBODY } from './users.js';
import type { Ask } from '../http/ask.js';

/** The advisory lock key of the sealer: "seal" in ASCII. */
export const SEAL_LOCK = 0x7365616c;

/** An audit entry as a client reads it. */
export interface EntryBody {
  readonly id: string;
  readonly occurred_at: string;
  readonly actor: {
    readonly type: string;
    readonly id: string | null;
    readonly session_id: string | null;
    readonly email: string | null;
  };
  readonly action: string;
  readonly target: { readonly type: string; readonly id: string; readonly email: string | null } | null;
  readonly outcome: string;
  readonly reason: string | null;
  readonly changes: unknown;
  readonly ip: string | null;
  readonly user_agent: string | null;
  readonly request_id: string | null;
}

type Query = Readonly<Record<string, string>>;

/** Requests up to 100 audit entries of the list. */
export const listEntries = (app: TestApp, by: TestUser, query: Query) =>
  app.as(by, 'get', '/api/audit').query({ limit: '100', ...query });

/** Returns up to 100 audit entries, newest first. */
export async function readEntries(app: TestApp, by: TestUser, query: Query): Promise<EntryBody[]> {
  const answer = await listEntries(app, by, query);
  if (answer.status !== 200) throw new Error(`the audit log returned ${answer.status}: ${answer.text}`);
  return answer.body as EntryBody[];
}

export const ENTRY = `INSERT INTO audit_entries
  (id, occurred_at, actor_type, actor_id, action, outcome, request_id, origin_key, origin_sealed)
  SELECT gen_random_uuid(), clock_timestamp(), 'user', gen_random_uuid(), 'auth.login', 'success',
         'request-' || n, gen_random_uuid(), sha256(n::text::bytea)
  FROM generate_series(1, $1::integer) AS n`;

/**
 * Writes entries as the service does, in one transaction.
 * @returns their IDs, in order
 */
export async function writeEntries(database: TestDatabase, count = 1): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `WITH written AS (${ENTRY} RETURNING seq, id) SELECT id FROM written ORDER BY seq`,
    [count],
  );
  return rows.map(({ id }) => id);
}

/** Returns the number of these entries that the last seal covers. */
export async function sealedOf(database: TestDatabase, ids: readonly string[]): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `SELECT count(*)::integer FROM audit_entries WHERE id = ANY ($1)
     AND (epoch, xid, seq) <= (SELECT epoch, xid, seq FROM audit_seals ORDER BY number DESC LIMIT 1)`,
    [ids],
  );
  return row?.count ?? 0;
}

/** Seals the entries. Waits until no transaction holds the horizon, because other tests share the server. */
export async function sealed(app: TestApp, ids: readonly string[]): Promise<void> {
  await until(
    async () => {
      await app.nest.get(SealWriter).sealSettled();
      return (await sealedOf(app.database, ids)) === ids.length;
    },
    20_000,
    'all entries are sealed',
  );
}

/** Requests every response about seals, with one sealed entry in the audit log. */
export async function askAboutSeals(ask: Ask, database: TestDatabase): Promise<void> {
  const [id = ''] = await writeEntries(database);
  await until(async () => (await sealedOf(database, [id])) === 1);
  await ask('GET /api/audit/seals', { query: '?limit=1' });
  await ask('GET /api/audit/seals/latest');
  await ask('GET /api/audit/{id}/proof', { key: id });
  await ask('GET /api/audit/{id}/proof', { key: NOBODY });
  await ask('POST /api/audit/verify', { body: {} });
  await ask('POST /api/audit/verify', { body: { from: 'yesterday' } });
}
