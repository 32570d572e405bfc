import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** A clone of the migrated template, for one test file alone. */
export class TestDatabase {
  private constructor(
    readonly url: string,
    private readonly name: string,
  ) {}

  /** `empty`: not even migrated. */
  static async create(options: { empty?: boolean } = {}): Promise<TestDatabase> {
    const name = `test_${randomBytes(8).toString('hex')}`;
    const template = options.empty ? 'template0' : environment('TEST_TEMPLATE');
    await onServer(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    const url = new URL(environment('TEST_SERVER_URL'));
    url.pathname = `/${name}`;
    return new TestDatabase(url.href, name);
  }

  /** Runs one statement on a connection of its own, so that no test can leave one open. */
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
