import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tearDown, { run } from './global-teardown.mjs';

/**
 * One PostgreSQL for the whole run (`TEST_DATABASE_URL`, else one of our own), and in it one migrated
 * template that each test file clones. Jest hands the environment on to its workers.
 */
export default async function setUp() {
  const made = (globalThis.testDatabase = {});
  try {
    await prepare(made);
  } catch (error) {
    // Jest tears down only what was set up as a whole.
    await tearDown();
    throw error;
  }
  process.env.TEST_SERVER_URL = made.server;
  process.env.TEST_TEMPLATE = made.template;
  process.env.TEST_COMPILE_CACHE = made.compileCache;
}

async function prepare(made) {
  made.compileCache = await mkdtemp(join(tmpdir(), 'gatehouse-compiled-'));
  const { migrate } = await import('../../dist/src/platform/database/migrate.js');
  made.server = process.env.TEST_DATABASE_URL ?? (await startServer(made));
  const template = `test_template_${process.pid}`;
  await run(made.server, `CREATE DATABASE ${template}`);
  made.template = template;
  const url = new URL(made.server);
  url.pathname = `/${template}`;
  await migrate(url.href);
}

async function startServer(made) {
  const { joinEmbeddedPostgres } =
    await import('../../dist/src/platform/database/embedded/embedded-postgres.js');
  made.dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
  made.embedded = await joinEmbeddedPostgres({ dataDir: made.dataDir, notice: () => {} });
  const { url } = made.embedded;
  // Nothing here has to survive a crash.
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    await run(url, `ALTER SYSTEM SET ${setting} = off`);
  }
  await run(url, 'SELECT pg_reload_conf()');
  return url;
}
