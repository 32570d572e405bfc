import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tearDown, { run } from './global-teardown.mjs';

/**
 * Provides one PostgreSQL for the whole run (`TEST_DATABASE_URL`, else an embedded one) with a migrated
 * template that each test file clones. Jest passes the environment on to its workers.
 */
export default async function setUp() {
  const made = (globalThis.testDatabase = {});
  try {
    await prepare(made);
  } catch (error) {
    // Jest runs the teardown only after a successful setup.
    await tearDown();
    throw error;
  }
  process.env.TEST_SERVER_URL = made.server;
  process.env.TEST_TEMPLATE = made.template;
  process.env.TEST_COMPILE_CACHE = made.compileCache;
}

async function prepare(made) {
  made.compileCache = await mkdtemp(join(tmpdir(), 'gatehouse-compiled-'));
  const { migrate } = await import('../../../dist/src/platform/database/startup/migrate.js');
  made.server = process.env.TEST_DATABASE_URL ?? (await startServer(made));
  const template = `test_template_${process.pid}`;
  const urls = await makeRoles(made, template);
  await run(made.server, `CREATE DATABASE ${template} OWNER ${urls.owner.username}`);
  made.template = template;
  await migrate({ DATABASE_URL: urls.service.href, MIGRATION_DATABASE_URL: urls.owner.href });
  process.env.TEST_OWNER_URL = urls.owner.href;
  process.env.TEST_SERVICE_URL = urls.service.href;
}

/** Creates roles as in production: one that owns the databases, and one that owns nothing. */
async function makeRoles(made, template) {
  const urls = {};
  for (const role of ['owner', 'service']) {
    const url = (urls[role] = new URL(`/${template}`, made.server));
    url.username = `test_${role}_${process.pid}`;
    url.password = randomBytes(12).toString('hex');
    await run(made.server, `CREATE ROLE ${url.username} LOGIN PASSWORD '${url.password}'`);
    (made.roles ??= []).push(url.username);
  }
  return urls;
}

async function startServer(made) {
  const { joinEmbeddedPostgres } =
    await import('../../../dist/src/platform/embedded-postgres/embedded-postgres.js');
  made.dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
  made.embedded = await joinEmbeddedPostgres({ dataDir: made.dataDir, notice: () => {} });
  const { superuserUrl } = made.embedded.urls;
  // The test data need not survive a crash.
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    await run(superuserUrl, `ALTER SYSTEM SET ${setting} = off`);
  }
  await run(superuserUrl, 'SELECT pg_reload_conf()');
  return superuserUrl;
}
