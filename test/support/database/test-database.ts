import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** The maximum number of statements of a test at the same time. More wait. */
const MAX_STATEMENTS = 20;
/** Shorter than anything that would notice the connection, and longer than a pause between two polls. */
const IDLE_MS = 1000;

/** A clone of the migrated template for one test file. */
export class TestDatabase {
  /** Tests poll, and a connection costs many times as much as a statement. */
  private readonly pool: pg.Pool;

  private constructor(private readonly name: string) {
    this.pool = new pg.Pool({
      connectionString: this.url,
      max: MAX_STATEMENTS,
      idleTimeoutMillis: IDLE_MS,
      // A test file that does not drop its database must not keep its process alive.
      allowExitOnIdle: true,
    });
    // A test that ends all connections also ends those in here.
    this.pool.on('error', () => undefined);
  }

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

  /** Runs one statement, or several that end their transaction themselves. */
  async query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(sql, values)).rows;
  }

  async drop(): Promise<void> {
    const ended = this.pool.end();
    // Ends the statements that still run, for which the pool waits.
    await onServer(`DROP DATABASE ${this.name} WITH (FORCE)`);
    await ended;
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
