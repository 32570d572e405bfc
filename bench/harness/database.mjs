// The embedded PostgreSQL of a run, with its default, durable settings, and the databases on it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'argon2';
import pg from 'pg';
import { v7 as uuid } from 'uuid';
import { joinEmbeddedPostgres } from '../../dist/src/platform/embedded-postgres/embedded-postgres.js';
import { migrate } from '../../dist/src/platform/database/startup/migrate.js';
import { seed } from '../../scripts/seed.mjs';
import { ARGON2 } from './argon2.mjs';

const TEMPLATE = 'bench_template';
export const PASSWORD = 'correct horse battery';

/**
 * A migrated database.
 * @typedef {object} Database
 * @property {string} name
 * @property {string} url for statements of a superuser
 * @property {Readonly<Record<string, string>>} environment the settings of a service that uses it
 */

/** One embedded server for all benchmarks of a run. */
export class DatabaseServer {
  #embedded;
  #say;
  #dataDir;
  #temporary;

  /**
   * @param {{ dataDir?: string, say?: (message: string) => void }} options `dataDir` is kept after the run, and used
   *   again with what is in it
   */
  static async open({ dataDir, say = () => {} }) {
    const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'gatehouse-bench-')));
    const embedded = await joinEmbeddedPostgres({ dataDir: folder, notice: () => {} });
    return new DatabaseServer(embedded, folder, { temporary: dataDir === undefined, say });
  }

  /** Use {@link open}. */
  constructor(embedded, dataDir, { temporary, say }) {
    this.#say = say;
    this.#embedded = embedded;
    this.#dataDir = dataDir;
    this.#temporary = temporary;
  }

  /**
   * Returns the migrated database of that name and makes it if necessary.
   * @returns {Promise<Database>}
   */
  async database(name) {
    const { superuserUrl, url: serviceUrl } = this.#embedded.urls;
    const [url, DATABASE_URL] = [superuserUrl, serviceUrl].map(
      (address) => new URL(`/${name}`, address).href,
    );
    const known = await sql(superuserUrl, 'SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    const environment = { DATABASE_URL, MIGRATION_DATABASE_URL: url, DATA_DIR: this.#dataDir };
    if (known.length === 0) {
      // Copying a migrated database takes a fraction of the time of the migrations.
      if (name !== TEMPLATE) await this.database(TEMPLATE);
      await sql(
        superuserUrl,
        `CREATE DATABASE ${name} TEMPLATE ${name === TEMPLATE ? 'template1' : TEMPLATE}`,
      );
    }
    await migrate({ DATABASE_URL, MIGRATION_DATABASE_URL: url });
    return { name, url, environment };
  }

  /**
   * Returns the addresses of a new database without tables.
   * @returns {Promise<Database>}
   */
  async emptyDatabase(name) {
    const { superuserUrl, ownerUrl, url: serviceUrl } = this.#embedded.urls;
    await sql(superuserUrl, `DROP DATABASE IF EXISTS ${name}`);
    await sql(superuserUrl, `CREATE DATABASE ${name} OWNER ${new URL(ownerUrl).username}`);
    const [url, DATABASE_URL] = [ownerUrl, serviceUrl].map((address) => new URL(`/${name}`, address).href);
    return { name, url, environment: { DATABASE_URL, MIGRATION_DATABASE_URL: url, DATA_DIR: this.#dataDir } };
  }

  /** Returns a database with that many sample accounts (`scripts/sample-users.mjs`). */
  async sampleDatabase(accounts) {
    const database = await this.database(`accounts_${accounts}`);
    const [{ filled }] = await sql(database.url, 'SELECT EXISTS (SELECT FROM users OFFSET 1) AS filled');
    if (!filled) {
      const started = performance.now();
      await seed(database.url, accounts);
      this.#say(`${accounts} accounts in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    return database;
  }

  async close() {
    await this.#embedded.leave();
    if (this.#temporary) await rm(this.#dataDir, { recursive: true, force: true });
  }
}

/**
 * Adds accounts that share {@link PASSWORD}.
 * @returns {Promise<{ id: string, email: string, password: string }[]>}
 */
export async function addAccounts(url, count, { roles = ['user'] } = {}) {
  // Another run may have left its accounts in a kept database.
  const prefix = `bench-${uuid().slice(-8)}`;
  const accounts = Array.from({ length: count }, (_, i) => ({
    id: uuid(),
    email: `${prefix}-${i}@example.com`,
    password: PASSWORD,
  }));
  await sql(
    url,
    `INSERT INTO users (id, email, email_key, name, name_key, search_key, password_hash, roles)
     SELECT id, email, email, 'Bench', 'bench', 'bench' || E'\\n' || email, $3, $4
     FROM unnest($1::uuid[], $2::text[]) AS account (id, email)`,
    [accounts.map(({ id }) => id), accounts.map(({ email }) => email), await hash(PASSWORD, ARGON2), roles],
  );
  return accounts;
}

/** Runs one statement on a connection of its own and returns the rows. */
export async function sql(connectionString, text, values) {
  return withClient(connectionString, async (client) => (await client.query(text, values)).rows);
}

/** Runs work with a connection of its own. */
export async function withClient(connectionString, work) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
