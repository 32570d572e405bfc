import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/**
 * One PostgreSQL for the whole run (`TEST_DATABASE_URL`, else one of our own), and in it one migrated
 * template that each test file clones. Jest hands the environment on to its workers.
 */
export default async function setUp() {
  const { migrate } = await import('../../dist/src/platform/database/migrate.js');
  const server = process.env.TEST_DATABASE_URL ?? (await startServer());
  const template = `test_template_${process.pid}`;
  await run(server, `CREATE DATABASE ${template}`);
  const url = new URL(server);
  url.pathname = `/${template}`;
  await migrate(url.href);
  globalThis.testDatabase = { ...globalThis.testDatabase, server, template };
  process.env.TEST_SERVER_URL = server;
  process.env.TEST_TEMPLATE = template;
}

async function startServer() {
  const { joinEmbeddedPostgres } =
    await import('../../dist/src/platform/database/embedded/embedded-postgres.js');
  const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
  const embedded = await joinEmbeddedPostgres({ dataDir, notice: () => {} });
  // Nothing here has to survive a crash.
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    await run(embedded.url, `ALTER SYSTEM SET ${setting} = off`);
  }
  await run(embedded.url, 'SELECT pg_reload_conf()');
  globalThis.testDatabase = { embedded, dataDir };
  return embedded.url;
}

async function run(connectionString, sql) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(sql);
  await client.end();
}
