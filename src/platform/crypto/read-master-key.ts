import { randomBytes, randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, ConfigError } from '../../config/config.js';
import { prepareFolder } from '../../config/prepare-folders.js';

const KEY_BYTES = 32;

/**
 * Returns the 32 bytes that encrypt every stored secret, from the configuration or else created once and kept
 * in `DATA_DIR`. Linking a finished file into place makes concurrent starts agree on one key.
 */
export async function readMasterKey(config: Config): Promise<Buffer> {
  if (config.MASTER_KEY) return config.MASTER_KEY;
  const file = join(config.DATA_DIR, 'master.key');
  await prepareFolder('DATA_DIR', config.DATA_DIR);
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, randomBytes(KEY_BYTES).toString('base64'), { mode: 0o600 });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  const key = Buffer.from(await readFile(file, 'utf8'), 'base64');
  if (key.length !== KEY_BYTES)
    throw new ConfigError([`${file} does not hold a master key of 32 bytes in base64`]);
  return key;
}
