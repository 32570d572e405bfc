import { readConfig } from './config/config.js';
import { migrate } from './platform/database/migrate.js';
import { openDatabase } from './platform/database/open-database.js';
import { startFailure } from './platform/lifecycle/start-failure.js';
import { toStderr } from './platform/logging/start-log.js';

/** `npm run migrate`: brings the schema up to date and ends. */
try {
  const database = await openDatabase(readConfig());
  try {
    const names = await migrate(database.config, toStderr);
    process.stdout.write(names.length === 0 ? 'Nothing to migrate\n' : `Migrated: ${names.join(', ')}\n`);
  } finally {
    await database.close();
  }
} catch (error) {
  process.stderr.write(`${startFailure(error)}\n`);
  process.exitCode = 1;
}
