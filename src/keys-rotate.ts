import { createApp } from './bootstrap.js';
import { readConfig } from './config/config.js';
import { SigningKeysService } from './modules/auth/signing-keys.service.js';
import { migrate } from './platform/database/migrate.js';
import { openDatabase } from './platform/database/open-database.js';
import { startFailure } from './platform/lifecycle/start-failure.js';

/** `npm run keys:rotate`: publishes the next signing key; every instance signs with it 15 minutes later. */
try {
  const database = await openDatabase(readConfig());
  try {
    await migrate(database.config);
    const app = await createApp({ ...database.config, LOG_LEVEL: 'warn' });
    await app.init();
    const kid = await app.get(SigningKeysService).rotateIfOlderThan(0);
    process.stdout.write(
      kid ? `Published the signing key ${kid}\n` : 'A signing key was published this very moment\n',
    );
    await app.close();
  } finally {
    await database.close();
  }
} catch (error) {
  process.stderr.write(`${startFailure(error)}\n`);
  // What had been opened by then may keep the process alive.
  process.exit(1);
}
