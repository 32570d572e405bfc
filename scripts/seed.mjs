// `npm run seed -- --accounts 1000000`: adds sample users to the service's configured database.

import { parseArgs } from 'node:util';
import { readConfig } from '../dist/src/config/config.js';
import { hashPassword } from '../dist/src/platform/crypto/passwords/own-hash.js';
import { connectionOptions } from '../dist/src/platform/database/driver/connections/connection-options.js';
import { migrate } from '../dist/src/platform/database/startup/migrate.js';
import { openDatabase } from '../dist/src/platform/database/startup/open-database.js';
import { ProcessSignals } from '../dist/src/platform/lifecycle/process-signals.listener.js';
import { closeOnSignals } from '../dist/src/operator/run-command.js';
import { addSampleUsers, SAMPLE_PASSWORD } from './sample-users.mjs';

const MAX_USERS = 100_000_000;
const SAY_EVERY_MS = 5_000;

class UsageError extends Error {}

/** Adds `users` sample users to the migrated database at `url` and gathers statistics. */
export async function seed(url, users, progress) {
  const { Client, ...address } = connectionOptions(url);
  const client = new Client({ ...address, application_name: 'gatehouse:seed' });
  await client.connect();
  try {
    const passwordHash = await hashPassword(SAMPLE_PASSWORD);
    await addSampleUsers(client, { users, passwordHash, progress });
    // VACUUM also merges the search index's pending entries, and sets the visibility map for index-only
    // scans.
    await client.query('VACUUM (ANALYZE) users');
  } finally {
    await client.end();
  }
}

function readArguments() {
  const { values } = parseArgs({ options: { accounts: { type: 'string' } }, strict: false });
  const users = /^\d{1,9}$/.test(values.accounts) ? Number(values.accounts) : 0;
  if (users >= 1 && users <= MAX_USERS) return users;
  throw new UsageError(`usage: npm run seed -- --accounts <1 to ${MAX_USERS}>`);
}

function sayProgress(users) {
  let said = performance.now();
  return (done) => {
    if (performance.now() - said < SAY_EVERY_MS) return;
    said = performance.now();
    say(`${done} of ${users} users`);
  };
}

function say(message) {
  process.stderr.write(`seed: ${message}\n`);
}

async function main() {
  const users = readArguments();
  const config = readConfig();
  if (config.NODE_ENV === 'production')
    throw new UsageError('sample users share a known password and must not be added in production');
  const signals = new ProcessSignals({ production: true });
  const database = await openDatabase(config);
  closeOnSignals(signals, database);
  try {
    const { DATABASE_URL, MIGRATION_DATABASE_URL } = database.config;
    await migrate(database.config);
    await seed(MIGRATION_DATABASE_URL ?? DATABASE_URL, users, sayProgress(users));
  } finally {
    await database.close();
  }
  say(`added ${users} users; the password of each is "${SAMPLE_PASSWORD}"`);
}

if (import.meta.main) {
  await main().catch((error) => {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
}
