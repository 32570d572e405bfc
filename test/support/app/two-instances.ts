import { Instance } from './instance.js';
import { MASTER_KEY } from './secrets.js';
import { ADMIN } from './test-app.js';
import type { TestDatabase } from '../database/test-database.js';

/**
 * Starts two real processes on one database at once, as a deployment does, so that they race for the first
 * administrator and the first key. Kills both if either cannot start, because no test could stop them later.
 */
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
  const instances = await Promise.all([Instance.spawn({ env }), Instance.spawn({ env })]);
  try {
    await Promise.all(instances.map((each) => each.until(() => each.stdout.includes('is ready'))));
  } catch (error) {
    await Promise.all(instances.map((each) => each.stop('SIGKILL')));
    throw error;
  }
  return instances;
}
