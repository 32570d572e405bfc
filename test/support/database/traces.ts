import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { TestDatabase } from './test-database.js';

/** The client field, omitted by pg's types, that gives access to the rows of a COPY. */
interface Copying {
  readonly connection: NodeJS.EventEmitter;
}

interface Table {
  readonly name: string;
  readonly shared: boolean;
}

const forms = (value: string): string[] => [value.toLowerCase(), Buffer.from(value).toString('hex')];

/**
 * Returns the tables, of every schema, whose COPY contains one of these values, in plain text or as
 * hexadecimal bytes.
 */
export function tablesHolding(database: TestDatabase, values: readonly string[]): Promise<string[]> {
  return withClient(database, async (client) => {
    const holding: string[] = [];
    for (const { name } of await tablesOf(client)) {
      const rows = await copyOf(client, name);
      if (values.flatMap(forms).some((form) => rows.includes(form))) holding.push(name);
    }
    return holding;
  });
}

/**
 * Returns the database's data files that contain one of these values, after all tables were rewritten and
 * flushed.
 */
export function filesHolding(
  database: TestDatabase,
  values: readonly (string | Buffer)[],
): Promise<string[]> {
  return withClient(database, async (client) => {
    for (const { name, shared } of await tablesOf(client)) {
      if (!shared) await client.query(`VACUUM (FULL) ${name}`);
    }
    await client.query('CHECKPOINT');
    const { rows } = await client.query<{ folder: string }>(
      `SELECT current_setting('data_directory') || '/base/' || oid AS folder
       FROM pg_database WHERE datname = current_database()`,
    );
    const folder = rows[0]?.folder ?? '';
    const holding: string[] = [];
    for (const file of await readdir(folder)) {
      // A file dropped meanwhile contains nothing.
      const bytes = await readFile(join(folder, file)).catch(() => Buffer.alloc(0));
      if (values.some((value) => bytes.includes(value))) holding.push(file);
    }
    return holding;
  });
}

async function tablesOf(client: pg.Client): Promise<Table[]> {
  const { rows } = await client.query<Table>(
    `SELECT oid::regclass::text AS name, relisshared AS shared FROM pg_class
     WHERE relkind IN ('r', 'm') AND relpersistence <> 't' ORDER BY relnamespace, relname`,
  );
  return rows;
}

async function copyOf(client: pg.Client, table: string): Promise<string> {
  const chunks: Buffer[] = [];
  // pg overwrites the chunk with the next one.
  const collect = ({ chunk }: { chunk: Buffer }) => chunks.push(Buffer.from(chunk));
  const { connection } = client as unknown as Copying;
  connection.on('copyData', collect);
  try {
    await client.query(`COPY ${table} TO STDOUT`);
  } finally {
    connection.off('copyData', collect);
  }
  return Buffer.concat(chunks).toString().toLowerCase();
}

async function withClient<T>(database: TestDatabase, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
