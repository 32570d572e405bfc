import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import supertest from 'supertest';
import { findViolations } from '../../../src/operator/invariants.js';
import { writeBackupFile } from '../../../src/platform/backup/backup.file.js';
import { DatabaseSnapshot } from '../../../src/platform/backup/database.snapshot.js';
import { findTables, OMITTED_TABLES } from '../../../src/platform/backup/service-tables.js';
import { Instance } from '../../support/app/instance.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { settled } from '../../support/app/settled.js';
import { ADMIN, PASSWORD, signIn, TestApp, type TestUser } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import {
  BACKUP_PASSPHRASE,
  commandEnvironment,
  connectOwner,
  restoreBackup,
  runBackupCommand,
} from '../../support/builders/backups.js';
import { linesOf, runExport } from '../../support/builders/exports.js';
import { AllRows } from '../../support/database/all-rows.js';
import { schemaDump } from '../../support/database/schema-dump.js';
import { TestDatabase } from '../../support/database/test-database.js';

const FOLDER = mkdtempSync(join(tmpdir(), 'gatehouse-backup-'));
const DATA_DIR = join(FOLDER, 'source');
/** Tables that a restore itself writes: the new epoch, and what the task queue knows of its own schema. */
const OF_THE_RESTORE = ['history_epochs', 'graphile_worker.migrations'];

afterAll(() => rmSync(FOLDER, { recursive: true }));

describe('a backup', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
    const user = await app.createUser();
    await app.as(user, 'post', '/api/resources').send({ type: 'note', name: 'Mine' }).expect(201);
  });
  afterAll(() => app?.close());

  it('contains every table of every schema, each with every column that is not computed', async () => {
    const database = await TestDatabase.create();
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      await client.query('CREATE SCHEMA more CREATE TABLE "With Blank" (id integer)');
      await client.query(
        'CREATE UNLOGGED TABLE forgotten (id integer, twice integer GENERATED ALWAYS AS (id * 2) STORED)',
      );
      const { rows } = await client.query<{ name: string; columns: string[] }>(
        `SELECT format('%I.%I', table_schema, table_name) AS name,
                array_agg(quote_ident(column_name) ORDER BY ordinal_position) AS columns
         FROM information_schema.tables JOIN information_schema.columns USING (table_schema, table_name)
         WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND is_generated = 'NEVER'
           AND format('%I.%I', table_schema, table_name)::regclass NOT IN (
             SELECT oid FROM pg_class WHERE relkind IN ('p', 'v'))
         GROUP BY 1 ORDER BY 1`,
      );
      const found = await findTables(client);
      const all = rows.filter(({ name }) => !OMITTED_TABLES.has(name));
      expect(found.map(({ name, columns }) => ({ name, columns }))).toEqual(all);
      expect(rows.length - all.length).toBe(OMITTED_TABLES.size);
      expect(found).toContainEqual({ name: 'more."With Blank"', columns: ['id'], partitionOf: null });
      expect(found).toContainEqual({ name: 'public.forgotten', columns: ['id'], partitionOf: null });
    } finally {
      await client.end();
      await database.drop();
    }
  });

  it('has no column whose binary form depends on the database', async () => {
    // The binary form of an array or a row names the types of its parts by numbers that each database assigns anew.
    const rows = await app.database.query(
      `SELECT a.attrelid::regclass, a.attname FROM pg_attribute a
       JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
       JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       JOIN pg_type t ON t.oid = a.atttypid
       WHERE a.attnum > 0 AND NOT a.attisdropped AND t.typnamespace <> 'pg_catalog'::regnamespace`,
    );
    expect(rows).toEqual([]);
  });

  it('holds the rows of one moment while others write, and a restore brings all of them back', async () => {
    const file = join(FOLDER, 'moment.backup');
    let users = 0;
    const stop = new AbortController();
    const writers = [1, 2].map(async () => {
      for (; !stop.signal.aborted; users++) await app.createUser();
    });
    const client = await connectOwner(app.database);
    const reader = await connectOwner(app.database);
    const target = await TestDatabase.create({ empty: true });
    const restored = new pg.Client({ connectionString: target.url });
    try {
      await until(() => users > 2);
      const snapshot = await DatabaseSnapshot.take(client);
      const opening = await snapshot.describe('');
      const { rows } = await client.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
      await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await reader.query(`SET TRANSACTION SNAPSHOT '${rows[0]?.id}'`);
      const records = (async function* () {
        const before = users;
        for await (const record of snapshot.records(opening)) {
          yield record;
          await until(() => users > before + 2);
        }
      })();
      await writeBackupFile(file, records, { passphrase: BACKUP_PASSPHRASE });
      const expected = await (await AllRows.of(reader, OF_THE_RESTORE)).now();
      expect(Number(expected['users']?.split(' ')[0])).toBeGreaterThan(2);

      await restoreBackup(target, file);
      await restored.connect();
      expect(await (await AllRows.of(restored, OF_THE_RESTORE)).now()).toEqual(expected);
      expect(await schemaDump(target)).toEqual(await schemaDump(app.database));
      const violations = await findViolations(restored);
      // TestApp starts sessions without a sign-in, which would leave an audit entry.
      expect(violations.filter(({ invariant }) => !invariant.includes('audit entry'))).toEqual([]);
      const epochs = await target.query<{ epoch: number }>('SELECT epoch FROM history_epochs ORDER BY epoch');
      expect(epochs.at(-1)?.epoch).toBeGreaterThan(opening.position.epoch);
      // Rows that come now do not collide with those that came back.
      const sequences = await target.query<{ behind: boolean }>(
        `SELECT nextval('audit_entries_seq') <= max(seq) AS behind FROM audit_entries
         UNION ALL SELECT nextval(pg_get_serial_sequence('events', 'seq')) <= max(seq) FROM events`,
      );
      expect(sequences).toEqual([{ behind: false }, { behind: false }]);
    } finally {
      stop.abort();
      await Promise.all([...writers, client.end(), reader.end(), restored.end()]);
      await target.drop();
    }
  });
});

describe('npm run backup and npm run restore', () => {
  const file = join(FOLDER, 'whole.backup');
  let database: TestDatabase;
  let target: TestDatabase;
  let source: Instance;
  let instance: Instance;
  let admin: TestUser;
  let erased: TestUser;
  let erasedLater: TestUser;
  let kept: TestUser;
  let before: string[];
  let lastPosition: string;
  let said: string;

  const get = ({ url }: Instance, { token }: TestUser, path: string) =>
    supertest(url).get(path).auth(token, { type: 'bearer' });
  const exported = async ({ url }: Instance, user: TestUser): Promise<string[]> => {
    const { text } = await runExport({ url, user, path: '/api/export/users?format=ndjson' });
    const { rows, complete } = linesOf(text);
    expect(complete?.count).toBe(rows.length);
    return rows;
  };
  const signUp = async (name: string): Promise<TestUser> => {
    const email = `${name}@example.com`;
    await supertest(source.url).post('/api/users').send({ email, name, password: PASSWORD }).expect(201);
    return signIn(source.url, email, PASSWORD);
  };
  const erase = async ({ token }: TestUser, { id }: TestUser): Promise<void> => {
    const user = `/api/users/${id}`;
    await supertest(source.url).delete(user).auth(token, { type: 'bearer' }).expect(204);
    await supertest(source.url).post(`${user}/erase`).auth(token, { type: 'bearer' }).expect(202);
    const log = join(DATA_DIR, 'erasures.log');
    await until(async () => (await readFile(log, 'utf8').catch(() => '')).includes(id));
  };

  beforeAll(async () => {
    database = await TestDatabase.create();
    const env = { ...database.addresses, MASTER_KEY, ADMIN_PASSWORD: ADMIN.password, DATA_DIR };
    source = await Instance.start({ env });
    const first = await signIn(source.url, ADMIN.email, ADMIN.password);
    [erased, erasedLater, kept] = [await signUp('one'), await signUp('two'), await signUp('three')];
    await erase(first, erased);
    await settled(database);
    before = await exported(source, first);
    lastPosition = (await get(source, first, '/api/events?after=latest')).headers['x-next-position'] ?? '';
    const written = await runBackupCommand('backup', [file], commandEnvironment(database, DATA_DIR));
    expect(written).toMatchObject({ code: 0, err: '' });
    expect(written.out).toMatch(/^Wrote \d+ tables as of \S+Z to .*whole\.backup, \d+\.\d MB\n$/);
    await erase(first, erasedLater);

    const dataDir = await mkdtemp(join(FOLDER, 'target-'));
    await copyFile(join(DATA_DIR, 'erasures.log'), join(dataDir, 'erasures.log'));
    target = await TestDatabase.create({ empty: true });
    const restored = await runBackupCommand(
      'restore',
      ['--end-sessions', file],
      commandEnvironment(target, dataDir),
    );
    expect(restored).toMatchObject({ code: 0, err: '' });
    said = restored.out;
    instance = await Instance.start({ env: { ...target.addresses, MASTER_KEY, DATA_DIR: dataDir } });
    admin = await signIn(instance.url, ADMIN.email, ADMIN.password);
  }, 180_000);
  afterAll(async () => {
    await Promise.all([source?.stop(), instance?.stop()]);
    await Promise.all([database?.drop(), target?.drop()]);
  });

  it('write a file for its owner alone', async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('say what was restored, and verify it', () => {
    expect(said).toMatch(
      /^Restored \d+ rows of \d+ tables as of \S+Z, written by Gatehouse \S+\. Epoch \d+ begins$/m,
    );
    expect(said).toContain('Erased again by erasures.log: 1 users\n');
    expect(said).toMatch(/^The audit log is valid: \d+ seals over [1-9]\d* entries$/m);
    expect(said).toContain('All invariants hold\n');
  });

  it('bring back every user row for row, except those who were erased since', async () => {
    const comparable = (rows: string[]) =>
      rows
        .filter((row) => !row.includes(erasedLater.id))
        .map((row) => row.replace(/"last_login_at":[^,}]*/, ''));
    const after = await exported(instance, admin);
    expect(comparable(after)).toEqual(comparable(before));
    expect(before.length - after.length).toBe(1);
  });

  it('keep erased users erased', async () => {
    for (const { id, email } of [erased, erasedLater]) {
      expect((await get(instance, admin, `/api/users/${id}`)).status).toBe(404);
      await expect(signIn(instance.url, email, PASSWORD)).rejects.toThrow('401');
      const keys = await target.query('SELECT wrapped FROM account_keys WHERE user_id = $1', [id]);
      expect(keys).toEqual([{ wrapped: null }]);
    }
  });

  it('end the sessions of the backup, and let everyone sign in again', async () => {
    expect(said).toMatch(/^Ended the sessions of [1-9]\d* users$/m);
    expect((await get(instance, kept, '/api/users/me')).status).toBe(401);
    expect((await signIn(instance.url, kept.email, PASSWORD)).id).toBe(kept.id);
  });

  it('let readers of the feed go on where they were', async () => {
    await settled(target);
    const answer = await get(instance, admin, `/api/events?after=${lastPosition}&limit=100`);
    expect(answer.status).toBe(200);
    const events = answer.body as { type: string; time: string }[];
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['user.erased', 'session.revoked']),
    );
    expect(events.map(({ type }) => type)).not.toContain('user.created');
  });

  it('read a file without a database', async () => {
    const { code, out } = await runBackupCommand('restore', ['--check', file], { BACKUP_PASSPHRASE });
    expect(out).toMatch(/whole\.backup is whole: \d+ rows of \d+ tables as of /);
    expect(code).toBe(0);
  });
});
