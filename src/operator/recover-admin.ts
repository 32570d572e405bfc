import { createApp } from '../app.js';
import { findCanonicalEmail } from '../common/email-address.js';
import { trimText } from '../common/text.js';
import { AdminRecoveryService } from '../modules/auth/recovery/admin-recovery.service.js';
import { ONE_TIME_PASSWORD_SECONDS } from '../modules/users/commands/recover-administrator.command.js';
import { assertOwner } from '../platform/database/startup/assert-owner.js';
import { adaptToPooler } from '../platform/database/startup/detect-pooler.js';
import { migrate } from '../platform/database/startup/migrate.js';
import type { OpenDatabase } from '../platform/database/startup/open-database.js';
import { toStderr } from '../platform/logging/start.logger.js';
import { runCommand } from './run-command.js';

/**
 * `npm run admin:recover -- <email>`: makes or restores an administrator with a one-time password, which it prints once.
 * Requires the access of the database's owner.
 */
const address = readAddress();
if (address === null) {
  process.stderr.write('usage: npm run admin:recover -- <email>\n');
  process.exitCode = 1;
} else {
  await runCommand((config) => recover(config, address));
}

async function recover(config: OpenDatabase['config'], email: string): Promise<void> {
  await assertOwner(config);
  await migrate(config, toStderr);
  const app = await createApp({ ...(await adaptToPooler(config, toStderr)), LOG_LEVEL: 'warn' });
  try {
    await app.init();
    const password = await app.get(AdminRecoveryService).recover(email);
    process.stdout.write(
      `${email} is an administrator. One-time password: ${password}\n` +
        `It works for one sign-in within ${ONE_TIME_PASSWORD_SECONDS / 60} minutes. Then set a password with PUT /api/auth/password.\n`,
    );
  } finally {
    await app.close();
  }
}

function readAddress(): string | null {
  const [given = '', ...others] = process.argv.slice(2);
  return others.length > 0 || findCanonicalEmail(given) === null ? null : trimText(given);
}
