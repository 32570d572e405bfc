// `npm run dev`: runs the service on a database with sample users, and recompiles and restarts it whenever
// a source changes.
//
// This script joins the database, not the service, so that the database keeps running while the service
// restarts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..');
const NEST = join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js');
const SAMPLE_USERS = 20;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
const ON_WINDOWS = process.platform === 'win32';

/**
 * Settings for fast restarts, which wait neither for a balancer nor long for a browser's idle connections.
 */
const DEVELOPMENT = {
  LOG_PRETTY: 'true',
  SHUTDOWN_GRACE_MS: '0',
  SHUTDOWN_IDLE_MS: '0',
  SHUTDOWN_DEADLINE_MS: '3000',
};

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => stop.abort());

async function main() {
  const { readConfig } = await import('../dist/src/config/config.js');
  const { openDatabase } = await import('../dist/src/platform/database/startup/open-database.js');
  const config = readConfig();
  if (config.NODE_ENV === 'production') throw new Error('not in production: use `npm start`');
  const database = await openDatabase(config);
  try {
    const settings = await prepare(database.config);
    const { DATABASE_URL, MIGRATION_DATABASE_URL } = database.config;
    if (!stop.signal.aborted) await watch({ ...settings, DATABASE_URL, MIGRATION_DATABASE_URL });
  } finally {
    await database.close();
  }
}

/** Migrates, adds sample users to a database without any, and returns the settings of the first start. */
async function prepare(config) {
  const { migrate } = await import('../dist/src/platform/database/startup/migrate.js');
  const { seed } = await import('./seed.mjs');
  const { SAMPLE_PASSWORD } = await import('./sample-users.mjs');
  const url = config.MIGRATION_DATABASE_URL ?? config.DATABASE_URL;
  await migrate(config);
  const { empty, admin } = await lookAt(url);
  if (empty) await seed(url, SAMPLE_USERS);
  const settings = admin || config.ADMIN_PASSWORD !== undefined ? {} : { ADMIN_PASSWORD: SAMPLE_PASSWORD };
  const signIns = await knownSignIns(url, SAMPLE_PASSWORD);
  if (settings.ADMIN_PASSWORD !== undefined) signIns.unshift(config.ADMIN_EMAIL);
  if (signIns.length > 0) say(`sign in as ${signIns.join(' or ')} with the password "${SAMPLE_PASSWORD}"`);
  return settings;
}

async function lookAt(url) {
  const [row] = await query(
    url,
    `SELECT NOT EXISTS (SELECT FROM users WHERE NOT roles @> ARRAY['admin']) AS empty,
            EXISTS (SELECT FROM users WHERE roles @> ARRAY['admin'] AND status = 'active') AS admin`,
  );
  return row;
}

/** Returns the first administrator and the first sample user, if they still have the sample password. */
async function knownSignIns(url, password) {
  const { matchesOwnHash } = await import('../dist/src/platform/crypto/passwords/own-hash.js');
  const candidates = await query(
    url,
    `(SELECT email, password_hash FROM users WHERE roles @> ARRAY['admin'] AND status = 'active' ORDER BY created_at, id LIMIT 1)
     UNION ALL
     (SELECT email, password_hash FROM users
      WHERE NOT roles @> ARRAY['admin'] AND status = 'active' ORDER BY created_at, id LIMIT 1)`,
  );
  const emails = [];
  for (const { email, password_hash: hash } of candidates) {
    if (await matchesOwnHash(password, hash)) emails.push(email);
  }
  return emails;
}

async function query(url, text) {
  const { connectionOptions } =
    await import('../dist/src/platform/database/driver/connections/connection-options.js');
  const { Client, ...address } = connectionOptions(url);
  const client = new Client(address);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/**
 * Runs Nest's watcher until it ends or a signal arrives. The watcher gets its own process group, so that
 * everything it started can be stopped and awaited: the service must end before the database.
 */
async function watch(settings) {
  const { processEnvironment } = await import('../dist/src/config/environment.js');
  const args = [NEST, 'start', '--watch', '--preserveWatchOutput', '--no-shell', '--exec', process.execPath];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: {
      ...DEVELOPMENT,
      ...processEnvironment(),
      ...settings,
      DATABASE_URL_FILE: '',
      MIGRATION_DATABASE_URL_FILE: '',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: !ON_WINDOWS,
  });
  const ended = once(child, 'exit');
  const onStop = () => signalAll(child, 'SIGINT');
  stop.signal.addEventListener('abort', onStop);
  const [code] = await ended;
  if (!stop.signal.aborted) process.exitCode = code ?? 1;
  await everyoneGone(child);
}

async function everyoneGone(child) {
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (signalAll(child, 0) && Date.now() < deadline) await sleep(POLL_MS);
  signalAll(child, 'SIGKILL');
}

/** Tells whether any process received the signal. */
function signalAll(child, signal) {
  try {
    return process.kill(ON_WINDOWS ? child.pid : -child.pid, signal);
  } catch {
    return false;
  }
}

function say(message) {
  process.stderr.write(`dev: ${message}\n`);
}

await main().catch((error) => {
  if (stop.signal.aborted) return;
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});
process.exit();
