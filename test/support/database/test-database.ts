import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** A clone of the migrated template for one test file. */
export class TestDatabase {
  private constructor(private readonly name: string) {}

  /** Creates the database; with `empty` not even migrated. */
  static async create(options: { empty?: boolean } = {}): Promise<TestDatabase> {
    const name = `test_${randomBytes(8).toString('hex')}`;
    const template = options.empty ? 'template0' : environment('TEST_TEMPLATE');
    const owner = new URL(environment('TEST_OWNER_URL')).username;
    await onServer(`CREATE DATABASE ${name} TEMPLATE ${template} OWNER ${owner}`);
    return new TestDatabase(name);
  }

  /** The address for a superuser, for the test's own changes to the database. */
  get url(): string {
    return this.urlOf('TEST_SERVER_URL');
  }

  /** The address for the running service's role, which owns nothing. */
  get serviceUrl(): string {
    return this.urlOf('TEST_SERVICE_URL');
  }

  /** The addresses for an instance's environment, as in production. */
  get addresses(): { readonly DATABASE_URL: string; readonly MIGRATION_DATABASE_URL: string } {
    return { DATABASE_URL: this.serviceUrl, MIGRATION_DATABASE_URL: this.urlOf('TEST_OWNER_URL') };
  }

  /** Grants the service access to a table that the test created. */
  async share(table: string): Promise<void> {
    await this.query(`GRANT ALL ON ${table} TO ${new URL(this.serviceUrl).username}`);
  }

  /** Runs one statement on its own connection, so that no test can leave one open. */
  async query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      return (await client.query<Row>(sql, values)).rows;
    } finally {
      await client.end();
    }
  }

  async drop(): Promise<void> {
    await onServer(`DROP DATABASE ${this.name} WITH (FORCE)`);
  }

  private urlOf(variable: string): string {
    return new URL(`/${this.name}`, environment(variable)).href;
  }
}

async function onServer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: environment('TEST_SERVER_URL') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function environment(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is set by the global set-up of the e2e project: run jest with it`);
  return value;
}
