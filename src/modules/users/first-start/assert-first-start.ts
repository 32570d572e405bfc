import { ADMIN_PASSWORD_REQUIRED, type Config, ConfigError } from '../../../config/config.js';
import { connectForStart, ownerAddress } from '../../../platform/database/startup/start-connection.js';
import { FIRST_ADMINISTRATOR_NAME } from '../user-rules.js';
import { hasNoAdministrator } from './first-start.repository.js';
import { checkPassword } from '../passwords/password.policy.js';

interface Starting extends Config {
  readonly DATABASE_URL: string;
}

/**
 * Validates the first administrator's settings before startup changes anything. A fault found after the
 * schema is created would leave the first start half done.
 * @throws ConfigError when the first administrator is needed and cannot be created
 */
export async function assertFirstStart(config: Starting): Promise<void> {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password, PRODUCT_NAME: product, NODE_ENV } = config;
  if (password === undefined && NODE_ENV !== 'production') return;
  // Asks first, because most starts find an administrator and the check reads the list of common passwords.
  if (!(await needsAdministrator(config))) return;
  const fault =
    password === undefined
      ? ADMIN_PASSWORD_REQUIRED
      : checkPassword({ password, email, name: FIRST_ADMINISTRATOR_NAME, product }, 'ADMIN_PASSWORD');
  if (fault !== null) throw new ConfigError([fault]);
}

async function needsAdministrator(config: Starting): Promise<boolean> {
  const client = await connectForStart(ownerAddress(config));
  try {
    return await hasNoAdministrator(client);
  } finally {
    await client.end();
  }
}
