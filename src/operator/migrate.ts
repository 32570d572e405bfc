import { migrate } from '../platform/database/startup/migrate.js';
import { runCommand } from './run-command.js';
import { toStderr } from '../platform/logging/start.logger.js';

/** `npm run migrate`: applies pending migrations and exits. */
await runCommand(async (config) => {
  const names = await migrate(config, toStderr);
  process.stdout.write(names.length === 0 ? 'Nothing to migrate\n' : `Migrated: ${names.join(', ')}\n`);
});
