import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { migrate } from '../../../src/platform/database/startup/migrate.js';
import { grantServicePrivileges } from '../../../src/platform/database/startup/service-privileges.js';
import { Instance } from '../../support/app/instance.js';
import { mailTo } from '../../support/builders/mails.js';
import { MASTER_KEY } from '../../support/app/secrets.js';
import { ADMIN, PASSWORD, signIn, TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { wherePossible } from '../../support/app/where-possible.js';

const TRAIL = `
  CREATE TABLE trail (id integer NOT NULL, said text NOT NULL) PARTITION BY RANGE (id);
  COMMENT ON TABLE trail IS 'append-only: what a test says';
  CREATE TABLE trail_1 PARTITION OF trail FOR VALUES FROM (1) TO (10);
  SELECT make_append_only('trail'), make_append_only('trail_1');
  CREATE TABLE epochs (id integer);
  COMMENT ON TABLE epochs IS 'read-only: the owner writes it';
  CREATE FUNCTION extend_trail() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
    AS 'CREATE TABLE trail_2 PARTITION OF trail FOR VALUES FROM (10) TO (20)'`;
/** Grants from before the tables were declared append-only, or from a well-meant manual change. */
const TOO_MUCH = (service: string) => `
  GRANT ALL ON trail, trail_1, epochs TO ${service};
  GRANT UPDATE (said) ON trail TO PUBLIC;
  GRANT CREATE ON SCHEMA public TO PUBLIC`;

describe('the service role', () => {
  let database: TestDatabase;
  let owner: pg.Client;
  let service: pg.Client;
  beforeAll(async () => {
    database = await TestDatabase.create();
    const { MIGRATION_DATABASE_URL } = database.addresses;
    owner = new pg.Client({ connectionString: MIGRATION_DATABASE_URL });
    await owner.connect();
    await owner.query(TRAIL);
    await owner.query(TOO_MUCH(new URL(database.serviceUrl).username));
    await migrate(database.addresses);
    service = new pg.Client({ connectionString: database.serviceUrl });
    await service.connect();
  });
  afterAll(async () => {
    await service?.end();
    await owner?.end();
    await database?.drop();
  });

  it('inserts into an append-only table and reads it', async () => {
    await service.query(`INSERT INTO trail VALUES (1, 'kept')`);
    expect((await service.query('SELECT said FROM trail')).rows).toEqual([{ said: 'kept' }]);
  });

  it.each([
    [`UPDATE trail SET said = 'forged'`],
    ['DELETE FROM trail'],
    ['TRUNCATE trail'],
    [`UPDATE trail_1 SET said = 'forged'`],
    [`INSERT INTO trail_1 VALUES (2, 'past the parent')`],
    ['TRUNCATE trail_1'],
    ['ALTER TABLE trail DETACH PARTITION trail_1'],
    ['ALTER TABLE trail ADD COLUMN more text'],
    ['ALTER TABLE trail DISABLE TRIGGER ALL'],
    ['DROP TRIGGER refuse_change ON trail'],
    ['DROP TABLE trail_1'],
    ['DROP TABLE trail'],
    [`COMMENT ON TABLE trail IS 'ordinary'`],
    ['SET session_replication_role = replica'],
    ['INSERT INTO epochs VALUES (1)'],
    [`INSERT INTO migrations (timestamp, name) VALUES (1, 'never ran')`],
    ['CREATE TABLE public.own (id integer)'],
    [
      `CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
    ],
  ])('is refused: %s', async (sql) => {
    await expect(service.query(sql)).rejects.toMatchObject({ code: '42501' });
  });

  it('cannot become the owner', async () => {
    const { username } = new URL(database.addresses.MIGRATION_DATABASE_URL);
    await expect(service.query(`SET ROLE ${username}`)).rejects.toMatchObject({ code: '42501' });
  });

  it('creates a partition through a function of the owner, which other roles may not call, and cannot truncate it', async () => {
    await service.query('SELECT extend_trail()');
    await service.query(`INSERT INTO trail VALUES (11, 'later')`);
    await expect(service.query('TRUNCATE trail_2')).rejects.toMatchObject({ code: '42501' });
    const [row] = await database.query(
      `SELECT has_function_privilege('public', 'extend_trail()', 'EXECUTE') AS anybody`,
    );
    expect(row).toEqual({ anybody: false });
  });

  it('writes to every table that is not declared append-only', async () => {
    const rows = await database.query<{ name: string; rights: string }>(
      `SELECT c.oid::regclass::text AS name, string_agg(lower(p), ' ' ORDER BY p) AS rights
       FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
       WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN ('public'::regnamespace, 'graphile_worker'::regnamespace)
         AND has_table_privilege($1, c.oid, p)
       GROUP BY c.oid ORDER BY 1`,
      [new URL(database.serviceUrl).username],
    );
    expect(rows.length).toBeGreaterThan(8);
    expect(rows.filter(({ rights }) => rights !== 'delete insert select update')).toEqual([
      { name: 'audit_entries', rights: 'insert select' },
      { name: 'audit_keys', rights: 'insert select' },
      { name: 'audit_retentions', rights: 'insert select' },
      { name: 'audit_seals', rights: 'insert select' },
      { name: 'epochs', rights: 'select' },
      { name: 'events', rights: 'insert select' },
      { name: 'graphile_worker.migrations', rights: 'select' },
      { name: 'history_epochs', rights: 'select' },
      { name: 'migrations', rights: 'select' },
      { name: 'trail', rights: 'insert select' },
    ]);
  });

  it('has short timeouts, unlike the owner', async () => {
    const limits = `SELECT current_setting('idle_in_transaction_session_timeout') AS idle,
                           current_setting('transaction_timeout', true) AS transaction`;
    const { rows } = await service.query<{ idle: string; transaction: string | null }>(limits);
    // Available from PostgreSQL 17.
    expect(rows[0]).toEqual({ idle: '10s', transaction: rows[0]?.transaction === null ? null : '30s' });
    expect((await owner.query(limits)).rows[0]).toMatchObject({ idle: '0' });
  });

  it('gets missing grants at the next start, and nothing else', async () => {
    const start = () => grantServicePrivileges(owner, database.serviceUrl);
    expect(await start()).toEqual([]);
    await owner.query('CREATE TABLE next (id serial)');
    expect(await start()).toHaveLength(2);
    await service.query('INSERT INTO next DEFAULT VALUES');
    await owner.query(`COMMENT ON TABLE next IS 'append-only: from now on'`);
    expect(await start()).toEqual([expect.stringMatching(/^REVOKE DELETE, UPDATE ON TABLE next FROM /)]);
    await owner.query('DROP TABLE next');
    expect(await start()).toEqual([]);
  });

  it('is sufficient for a sign-up, a sign-in and a mail', async () => {
    const app = await TestApp.create({ database });
    try {
      const [{ role } = { role: '' }] = await app.dataSource.query<{ role: string }[]>(
        'SELECT current_user AS role',
      );
      expect(role).toBe(new URL(database.serviceUrl).username);
      const user = await app.createUser();
      await mailTo(app, user.email, /^Confirm your email/);
      await signIn(app.url, user.email, PASSWORD);
    } finally {
      await app.close();
    }
  });
});

describe('a service whose role owns the tables', () => {
  it('works, and warns in production about the consequences', async () => {
    const database = await TestDatabase.create();
    const instance = await Instance.startInProduction({
      env: {
        DATABASE_URL: database.addresses.MIGRATION_DATABASE_URL,
        MASTER_KEY,
        METRICS_TOKEN: 'sixteen characters or so',
        ADMIN_PASSWORD: ADMIN.password,
        SHUTDOWN_GRACE_MS: '0',
      },
    });
    try {
      await signIn(instance.url, ADMIN.email, ADMIN.password);
      expect(instance.stdout).toMatch(/DATABASE_URL's role \\"\w+\\" owns \d+ tables: triggers alone/);
    } finally {
      await instance.stop();
      await database.drop();
    }
  });
});

const noPsql =
  spawnSync('psql', ['--version']).status === 0 ? null : 'psql is not installed (postgresql-client)';

wherePossible(noPsql, 'deploy/database-roles.sql', () => {
  it('creates a database for the service alone, however often it runs', async () => {
    const own = await TestDatabase.create({ empty: true });
    const [database, owner, service] = ['', '_owner', '_service'].map(
      (suffix) => `test_${randomBytes(4).toString('hex')}"${suffix}`,
    ) as [string, string, string];
    const names = Object.entries({ database, owner, service }).map((pair) => `--variable=${pair.join('=')}`);
    const urlOf = (role: string) => {
      const url = new URL(`/${encodeURIComponent(database)}`, own.url);
      url.username = encodeURIComponent(role);
      url.password = 'given';
      return url.href;
    };
    try {
      for (let times = 0; times < 2; times++) {
        const { status, stderr } = spawnSync(
          'psql',
          ['--no-psqlrc', '--quiet', `--dbname=${own.url}`, ...names, '--file=deploy/database-roles.sql'],
          { encoding: 'utf8' },
        );
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      }
      for (const role of [owner, service])
        await own.query(`ALTER ROLE ${pg.escapeIdentifier(role)} PASSWORD 'given'`);
      const addresses = { DATABASE_URL: urlOf(service), MIGRATION_DATABASE_URL: urlOf(owner) };
      expect(await migrate(addresses)).not.toEqual([]);
      expect(await migrate(addresses)).toEqual([]);
      const [row] = await own.query(
        `SELECT rolsuper OR rolcreatedb OR rolcreaterole AS powerful,
                has_database_privilege('public', $1, 'CONNECT') AS anybody FROM pg_roles WHERE rolname = $2`,
        [database, service],
      );
      expect(row).toEqual({ powerful: false, anybody: false });
    } finally {
      await own.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(database)} WITH (FORCE)`);
      for (const role of [owner, service])
        await own.query(`DROP ROLE IF EXISTS ${pg.escapeIdentifier(role)}`);
      await own.drop();
    }
  });
});
