import { globSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource, type EntityMetadata } from 'typeorm';
import { withPostgresTypes } from '../../src/platform/database/column-types.js';
import { findMigrations } from '../../src/platform/database/startup/migrate.js';
import { Instance } from '../support/app/instance.js';
import { faultsOf, record, type RecordedMigration } from '../support/database/migration-rules.js';
import { OldPostgres } from '../support/database/old-postgres.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { schemaDump } from '../support/database/schema-dump.js';
import { TestDatabase } from '../support/database/test-database.js';

const { version: release } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };

describe('the migrations', () => {
  let database: TestDatabase;
  let source: DataSource;
  beforeAll(async () => {
    database = await TestDatabase.create({ empty: true });
    const migrations = await findMigrations();
    source = new DataSource({
      type: 'postgres',
      url: database.url,
      migrations,
      migrationsTransactionMode: 'each',
      installExtensions: false,
    });
    await source.initialize();
  });
  afterAll(async () => {
    await source?.destroy();
    await database?.drop();
  });

  it('run up, down with data, and up again to the same schema', async () => {
    const count = (await findMigrations()).length;
    expect(await source.runMigrations()).toHaveLength(count);
    const first = await schemaDump(database);
    expect(first.filter((line) => line.startsWith('table '))).not.toEqual([]);
    await seed(database);
    for (let undone = 0; undone < count; undone++) await source.undoLastMigration({ transaction: 'each' });
    expect(await schemaDump(database)).toEqual([]);
    expect(await source.runMigrations()).toHaveLength(count);
    expect(await schemaDump(database)).toEqual(first);
  });

  it('leave nothing to do for a second run', async () => {
    expect(await source.runMigrations()).toEqual([]);
  });

  it('are compared by a dump that shows a column, a default, an index and a constraint', async () => {
    const before = await schemaDump(database);
    for (const [change, back] of [
      ['ALTER TABLE roles ADD COLUMN more text', 'ALTER TABLE roles DROP COLUMN more'],
      ['ALTER TABLE roles ALTER version SET DEFAULT 2', 'ALTER TABLE roles ALTER version SET DEFAULT 1'],
      ['CREATE INDEX more ON roles (version)', 'DROP INDEX more'],
      ['ALTER TABLE roles ADD CONSTRAINT more CHECK (version > 0)', 'ALTER TABLE roles DROP CONSTRAINT more'],
    ]) {
      await database.query(change ?? '');
      expect(await schemaDump(database)).not.toEqual(before);
      await database.query(back ?? '');
    }
    expect(await schemaDump(database)).toEqual(before);
  });
});

/** Inserts rows, so that a migration that fails on data is found. */
async function seed(database: TestDatabase): Promise<void> {
  await database.query(
    `INSERT INTO users (id, email, email_key, name, name_key, search_key, roles)
     SELECT gen_random_uuid(), 'u' || n, 'u' || n, 'n', 'n', 'n', ARRAY['user', 'admin'] FROM generate_series(1, 50) AS n`,
  );
  await database.query(`INSERT INTO roles (name) VALUES ('support')`);
  await database.query(`INSERT INTO role_permissions VALUES ('support', 'users:read')`);
  await database.query(`INSERT INTO signing_keys VALUES ('kid', '\\x00')`);
}

/** Parts of the first release, which landed before these rules. No installation that has data still has to run them. */
const LANDED = [
  ...Array.from(
    { length: 4 },
    () => 'Erasure1795500004000: a release does not drop, rename or retype what the one before still reads',
  ),
  'ErasedOwners1795500008000: a release does not drop, rename or retype what the one before still reads',
  'ErasedOwners1795500008000: the rows of an existing table are changed by a task in batches',
];

const judge = (up: string[], more: Partial<RecordedMigration> = {}) =>
  faultsOf(
    [
      {
        name: 'first',
        transaction: true,
        up: ['CREATE TABLE users (id uuid)'],
        down: ['DROP TABLE users'],
      },
      { name: 'next', transaction: true, up, down: ['SELECT 1'], ...more },
    ],
    '1.2.0',
  );

describe('a migration', () => {
  it('follows the rules of migrations/README.md', async () => {
    const migrations = (await findMigrations()).map(
      (Migration) => [Migration.name, new Migration()] as const,
    );
    expect(migrations.length).toBeGreaterThan(0);
    const recorded = await Promise.all(migrations.map(([name, migration]) => record(name, migration)));
    expect(faultsOf(recorded, release)).toEqual(LANDED);
  });

  it.each([
    ['CREATE INDEX by_name ON users (name)', 'CONCURRENTLY'],
    ['CREATE UNIQUE INDEX by_name ON users USING btree (name)', 'CONCURRENTLY'],
    ['CREATE INDEX by_name ON ONLY users (name)', 'CONCURRENTLY'],
    ['CREATE INDEX CONCURRENTLY by_name ON users (name)', 'transaction = false'],
    ['ALTER TABLE users ADD COLUMN age integer NOT NULL', 'has a default'],
    ['ALTER TABLE users ADD COLUMN a text DEFAULT 1, ADD COLUMN b text NOT NULL', 'has a default'],
    ['ALTER TABLE users ALTER COLUMN name SET NOT NULL', 'becomes NOT NULL'],
    ['ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0)', 'NOT VALID'],
    ['ALTER TABLE users ADD CONSTRAINT c UNIQUE (name)', 'USING INDEX'],
    ['DROP TABLE users', 'does not drop'],
    ['ALTER TABLE users DROP COLUMN name', 'does not drop'],
    ['ALTER TABLE users RENAME COLUMN name TO title', 'does not drop'],
    ['ALTER TABLE users ALTER COLUMN name TYPE varchar(10)', 'does not drop'],
    ['-- contract: unread since 1.2.0\nALTER TABLE users DROP COLUMN name', 'does not drop'],
    ['DROP INDEX users_name', 'dropped and rebuilt CONCURRENTLY'],
    ['REINDEX TABLE users', 'dropped and rebuilt CONCURRENTLY'],
    ['ALTER TABLE users ADD age integer NOT NULL', 'has a default'],
    ['ALTER TABLE users ADD COLUMN key uuid DEFAULT gen_random_uuid()', 'constant default'],
    ['ALTER TABLE users ADD COLUMN seen timestamptz NOT NULL DEFAULT clock_timestamp()', 'constant default'],
    ['ALTER TABLE users ADD COLUMN double integer GENERATED ALWAYS AS (age * 2) STORED', 'constant default'],
    ['ALTER TABLE users ADD COLUMN number bigserial', 'constant default'],
    ['ALTER TABLE users ADD COLUMN age integer CHECK (age > 0)', 'no constraint of its own'],
    ['ALTER TABLE users ADD COLUMN owner uuid REFERENCES people', 'no constraint of its own'],
    ['ALTER TABLE users ADD COLUMN code text UNIQUE', 'no constraint of its own'],
    ['ALTER TABLE users ALTER name SET NOT NULL', 'becomes NOT NULL'],
    ['ALTER TABLE users ADD CHECK (age > 0)', 'NOT VALID'],
    ['ALTER TABLE users ADD FOREIGN KEY (owner) REFERENCES people', 'NOT VALID'],
    ['ALTER TABLE users ADD PRIMARY KEY (id)', 'USING INDEX'],
    ['ALTER TABLE users DROP name', 'does not drop'],
    ['ALTER TABLE users ALTER name TYPE varchar(10)', 'does not drop'],
    ['ALTER TABLE users RENAME TO people', 'does not drop'],
    ['ALTER TABLE users SET SCHEMA old', 'does not drop'],
    ['DROP FUNCTION search_fold', 'does not drop'],
    ['ALTER TABLE users ALTER COLUMN name DROP DEFAULT', 'a default stays'],
    ['LOCK TABLE users', 'not locked'],
    ['TRUNCATE users', 'not locked'],
    ['ALTER TABLE users SET UNLOGGED', 'not locked'],
    ['ALTER TABLE users DETACH PARTITION users_1', 'not locked'],
    ['UPDATE users SET name = 1', 'in batches'],
    ['DELETE FROM users', 'in batches'],
  ])('is rejected for: %s', (sql, reason) => {
    expect(judge([sql])).toEqual([expect.stringContaining(reason)]);
  });

  it('is rejected for a constraint that is added and validated at once', () => {
    const up = [
      'ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID',
      'ALTER TABLE users VALIDATE CONSTRAINT c',
    ];
    expect(judge(up)).toEqual([expect.stringContaining('in a migration after')]);
  });

  it('is rejected without a down migration', () => {
    expect(judge(['ALTER TABLE users ADD COLUMN age integer'], { down: [] })).toEqual([
      'next: every migration has a way back',
    ]);
  });

  it.each([
    ['ALTER TABLE users ADD COLUMN age integer'],
    ['ALTER TABLE users ADD COLUMN age integer NOT NULL DEFAULT 0'],
    ['ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID'],
    ['ALTER TABLE users VALIDATE CONSTRAINT c'],
    ['ALTER TABLE users ADD age integer, ADD names text[] COLLATE "C"'],
    [
      "ALTER TABLE users ADD COLUMN state text NOT NULL DEFAULT 'new', ADD COLUMN since timestamptz DEFAULT now()",
    ],
    ['ALTER TABLE users ALTER COLUMN name DROP NOT NULL', 'ALTER TABLE users ALTER name SET STATISTICS 0'],
    ['ALTER TABLE users ALTER COLUMN name SET DEFAULT clock_timestamp()'],
    ['ALTER TABLE users ADD CONSTRAINT users_key UNIQUE USING INDEX users_key'],
    ["UPDATE roles SET version = version + 1 WHERE name = 'admin'"],
    ['-- contract: unread since 1.1.0\nALTER TABLE users ALTER COLUMN name DROP DEFAULT'],
    ['CREATE INDEX by_outcome ON ONLY audit_entries (outcome)'],
    ['-- contract: unread since 1.1.0\nALTER TABLE users DROP COLUMN name'],
    ['CREATE TABLE more (id uuid NOT NULL)', 'CREATE INDEX more_id ON more (id)'],
  ])('passes with: %s', (...up) => {
    expect(judge(up)).toEqual([]);
  });

  it('is judged by what it runs, not by the bodies of its functions', async () => {
    const body = (head: string) =>
      `${head} $$ BEGIN\n UPDATE users SET name = '';\n DROP TABLE users;\n END $$`;
    const recorded = (sql: string) =>
      record('next', {
        name: 'next',
        up: (runner) => runner.query(sql),
        down: (runner) => runner.query('SELECT 1'),
      });
    const judged = async (sql: string) => judge([...(await recorded(sql)).up]);
    expect(await judged(body('CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS'))).toEqual([]);
    expect(await judged(body('DO'))).not.toEqual([]);
  });

  it('passes with an index made CONCURRENTLY outside a transaction', () => {
    expect(judge(['CREATE INDEX CONCURRENTLY by_name ON users (name)'], { transaction: false })).toEqual([]);
  });
});

/** They have no primary key, so their entities name columns that identify a row in practice. */
const WITHOUT_PRIMARY_KEY = ['audit_entries', 'user_images'];

describe('the entities', () => {
  it('map every table and column with its type, nullability, precision and primary key', async () => {
    const database = await TestDatabase.create();
    const source = withPostgresTypes(
      new DataSource({ type: 'postgres', url: database.url, entities: await entities() }),
    );
    try {
      await source.initialize();
      const tables = source.entityMetadatas.map(({ tableName }) => tableName);
      expect(tables.toSorted()).toEqual(await tablesOf(database));
      for (const entity of source.entityMetadatas) {
        const columns = await columnsOf(database, entity.tableName);
        expect({ [entity.tableName]: mapped(source, entity) }).toEqual({ [entity.tableName]: columns });
      }
    } finally {
      await source.destroy();
      await database.drop();
    }
  });
});

async function entities(): Promise<(new () => object)[]> {
  const files = globSync('src/**/*.entity.ts');
  const modules = (await Promise.all(files.map((file) => import(`../../${file}`)))) as Record<
    string,
    unknown
  >[];
  return modules
    .flatMap((module) => Object.values(module))
    .filter((value): value is new () => object => typeof value === 'function');
}

interface ColumnFacts {
  readonly type: string;
  readonly nullable: boolean;
  readonly primary: boolean;
}

/** TypeORM's own table of migrations has no entity. */
async function tablesOf(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
       AND relname <> 'migrations'`,
  );
  return rows.map(({ name }) => name).toSorted();
}

async function columnsOf(database: TestDatabase, table: string): Promise<Record<string, ColumnFacts>> {
  const rows = await database.query<ColumnFacts & { name: string }>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
            EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS primary
     FROM pg_attribute a WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped`,
    [table],
  );
  return Object.fromEntries(rows.map(({ name, ...facts }) => [name, facts]));
}

function mapped(source: DataSource, entity: EntityMetadata): Record<string, ColumnFacts> {
  return Object.fromEntries(
    entity.columns.map((column) => {
      const name = source.driver.normalizeType(column).replace('timestamp with time zone', 'timestamptz');
      const precise = name === 'timestamptz' ? `timestamp(${column.precision}) with time zone` : name;
      const type = `${precise}${column.isArray ? '[]' : ''}`;
      const primary = column.isPrimary && !WITHOUT_PRIMARY_KEY.includes(entity.tableName);
      return [column.databaseName, { type, nullable: column.isNullable, primary }];
    }),
  );
}

describe('a start', () => {
  const running: Instance[] = [];
  const open: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((instance) => instance.stop()));
    for (const close of open.splice(0)) await close();
  });

  it('of two instances on an empty database runs every migration once and brings both up', async () => {
    const database = await TestDatabase.create({ empty: true });
    open.push(() => database.drop());
    const env = { ...database.addresses, MASTER_KEY, LOG_LEVEL: 'silent' };
    // Both are known before they serve, so that one is stopped even when the other cannot start.
    const instances = await Promise.all([Instance.spawn({ env }), Instance.spawn({ env })]);
    running.push(...instances);
    await Promise.all(instances.map((each) => each.until(() => each.stdout.includes('is ready'))));

    for (const { url } of instances) expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    const ran = await database.query<{ name: string }>('SELECT name FROM migrations ORDER BY id');
    const names = (await findMigrations()).map((migration) => migration.name);
    expect(ran.map(({ name }) => name)).toEqual(names);
    expect(await database.query('SELECT email, roles FROM users')).toEqual([
      { email: 'admin@gatehouse.local', roles: ['admin', 'user'] },
    ]);
    expect(await database.query('SELECT 1 FROM signing_keys')).toHaveLength(1);
    const shown = instances.filter(({ stdout }) => stdout.includes('shown only now'));
    expect(shown).toHaveLength(1);
    const keys = await Promise.all(instances.map(({ url }) => fetch(`${url}/.well-known/jwks.json`)));
    const [first, second] = await Promise.all(keys.map((answer) => answer.text()));
    expect(second).toBe(first);
  });

  it('on a server that is too old prints one clear line and exits with code 1', async () => {
    const server = await OldPostgres.start('15.4', '150004');
    open.push(() => server.stop());
    const instance = await Instance.spawn({ env: { DATABASE_URL: server.url, MASTER_KEY } });
    expect(await instance.exitCode).toBe(1);
    expect(instance.stderr).toBe(
      'Gatehouse could not start: PostgreSQL 15.4 is too old: Gatehouse needs 16 or newer\n',
    );
    expect(instance.stdout).toBe('');
  });
});
