import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import type { EmbeddedUrls } from '../../src/platform/embedded-postgres/roles.js';
import { migrate } from '../../src/platform/database/startup/migrate.js';
import { sealed, writeEntries } from '../support/builders/audit.js';
import { Instance } from '../support/app/instance.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { bearer, closeConnections, send } from '../support/http/send.js';
import { type TestUser, ADMIN, PASSWORD, signIn, TestApp } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { until } from '../support/app/until.js';
import { wherePossible } from '../support/app/where-possible.js';

const elsewhere = process.env['TEST_DATABASE_URL']
  ? 'the server of TEST_DATABASE_URL may be another machine'
  : null;

/** A program that keeps a separate cluster until its input ends. */
const HOLD_CLUSTER = `
  const { joinEmbeddedPostgres } = await import('./dist/src/platform/embedded-postgres/embedded-postgres.js');
  const cluster = await joinEmbeddedPostgres({ dataDir: process.argv[1], notice() {} });
  console.log(JSON.stringify(cluster.urls));
  process.stdin.resume().once('end', () => cluster.leave());`;

interface EventBody {
  readonly id: string;
  readonly subject: string;
  readonly position: string;
}

async function feed(url: string, admin: TestUser): Promise<EventBody[]> {
  const all: EventBody[] = [];
  for (;;) {
    const position = all.at(-1)?.position;
    const after = position === undefined ? '' : `&after=${position}`;
    const answer = await send(url, { path: `/api/events?limit=100${after}`, headers: bearer(admin) });
    if (answer.status !== 200) throw new Error(`the feed answered ${answer.status}: ${answer.text}`);
    const page = answer.json as EventBody[];
    if (page.length === 0) return all;
    all.push(...page);
  }
}

interface Table {
  readonly name: string;
  /** The columns that are not generated. */
  readonly columns: string;
}

/** Copies every table of ours to files, through a folder that both servers can access. */
class Copy {
  private constructor(
    private readonly folder: string,
    private readonly tables: readonly Table[],
  ) {}

  static async of(url: string): Promise<Copy> {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-copy-'));
    // The servers may run as other users than this process.
    await chmod(folder, 0o777);
    const tables = await withClient(url, async (client) => {
      const { rows } = await client.query<Table>(
        `SELECT relname AS name, string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns
         FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
           AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
         GROUP BY relname`,
      );
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      for (const { name, columns } of rows) {
        await client.query(
          `COPY (SELECT ${columns} FROM ${name}) TO '${join(folder, name)}' (FORMAT binary)`,
        );
      }
      await client.query('COMMIT');
      return rows;
    });
    return new Copy(folder, tables);
  }

  /** Loads the copies and replaces the rows that migrations inserted. */
  async into(url: string): Promise<void> {
    await withClient(url, async (client) => {
      await client.query('BEGIN');
      await client.query('SET LOCAL session_replication_role = replica');
      for (const { name, columns } of this.tables) {
        const { rowCount } = await client.query(`SELECT FROM ${name} LIMIT 1`);
        if (rowCount !== 0) await client.query(`DELETE FROM ${name}`);
        await client.query(`COPY ${name} (${columns}) FROM '${join(this.folder, name)}' (FORMAT binary)`);
      }
      await client.query('COMMIT');
    });
  }

  drop(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

wherePossible(elsewhere, 'all tables copied into a fresh cluster', () => {
  let source: TestDatabase;
  let dataDir: string;
  let holder: ChildProcess;
  let urls: EmbeddedUrls;
  beforeAll(async () => {
    source = await TestDatabase.create();
    dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-fresh-'));
    const args = ['--input-type=module', '--eval', HOLD_CLUSTER, dataDir];
    holder = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!holder.stdout) throw new Error('no output');
    for await (const line of createInterface({ input: holder.stdout })) {
      urls = JSON.parse(line) as EmbeddedUrls;
      break;
    }
  }, 120_000);
  afterAll(async () => {
    closeConnections();
    const ended = once(holder, 'exit');
    holder.stdin?.end();
    await ended;
    await rm(dataDir, { recursive: true, force: true });
    await source?.drop();
  }, 60_000);

  const nextXid = (url: string) =>
    withClient(url, async (client) => {
      const { rows } = await client.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
      return Number(rows[0]?.xid);
    });

  it('keep their positions and order, precede new events, verify as valid, and allow further sealing', async () => {
    const { url: target, ownerUrl, superuserUrl } = urls;
    const addresses = { DATABASE_URL: target, MIGRATION_DATABASE_URL: ownerUrl };
    await migrate(addresses);
    // The new cluster's transaction IDs start far below those of the copied rows.
    const ahead = (await nextXid(superuserUrl)) + 5000;
    await source.query(`
      DO $$ BEGIN WHILE pg_current_xact_id()::text::bigint < ${ahead} LOOP COMMIT; END LOOP; END $$`);
    const app = await TestApp.create({ database: source });
    let before: EventBody[];
    try {
      for (let n = 0; n < 20; n++) await app.createUser();
      await sealed(app, await writeEntries(source, 10));
      before = await feed(app.url, app.admin);
    } finally {
      await app.close();
    }
    const copy = await Copy.of(source.url);
    await copy.into(superuserUrl).finally(() => copy.drop());
    expect(await nextXid(superuserUrl)).toBeLessThan(ahead);

    const instance = await Instance.start({
      env: { ...addresses, NODE_ENV: 'test', LOG_LEVEL: 'warn', MASTER_KEY, ADMIN_PASSWORD: ADMIN.password },
    });
    try {
      const admin = await signIn(instance.url, ADMIN.email, ADMIN.password);
      const body = { email: 'new@fresh.example', name: 'New', password: PASSWORD };
      const created = await send(instance.url, { method: 'POST', path: '/api/users', body });
      const { id } = created.json as { id: string };
      let after: EventBody[] = [];
      await until(async () => {
        after = await feed(instance.url, admin);
        return after.some(({ subject }) => subject === id);
      });
      expect(after.slice(0, before.length)).toEqual(before);
      const positions = after.map(({ position }) => position);
      expect(positions).toEqual(positions.toSorted());
      expect(after.slice(before.length).map(({ subject }) => subject)).toContain(id);

      const verify = async () => {
        const asked = { method: 'POST', path: '/api/audit/verify', headers: bearer(admin), body: {} };
        return (await send(instance.url, asked)).json as { valid: boolean; seals: number; entries: number };
      };
      const epochs = () =>
        withClient(superuserUrl, async (client) =>
          (
            await client.query<{ epoch: number }>('SELECT DISTINCT epoch FROM audit_seals ORDER BY epoch')
          ).rows.map(({ epoch }) => epoch),
        );
      await until(async () => (await epochs()).length === 2, 20_000, 'entries of the new epoch are sealed');
      expect(await epochs()).toEqual([1, 2]);
      expect(await verify()).toMatchObject({ valid: true });
    } finally {
      await instance.stop();
    }
  }, 120_000);
});
