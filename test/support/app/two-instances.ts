import { Instance } from './instance.js';
import { MASTER_KEY } from './secrets.js';
import { ADMIN } from './test-app.js';
import type { TestDatabase } from '../database/test-database.js';

/** Starts two real processes with the same settings on one database at once. */
export async function startTwo(
  database: TestDatabase,
  more: Readonly<Record<string, string>> = {},
): Promise<Instance[]> {
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    ...database.addresses,
    ADMIN_PASSWORD: ADMIN.password,
    MASTER_KEY,
    ...more,
  };
  return Instance.startTwo({ env }, { env });
}
