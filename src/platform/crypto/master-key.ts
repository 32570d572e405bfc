import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config/config.js';

/**
 * The 32 bytes that seal every stored secret: from configuration, else made once and kept in
 * `DATA_DIR`. Linking a finished file in place lets starts that race agree on one key.
 */
export async function masterKey(config: Config): Promise<Buffer> {
  if (config.MASTER_KEY) return config.MASTER_KEY;
  const file = join(config.DATA_DIR, 'master.key');
  await mkdir(config.DATA_DIR, { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, randomBytes(32).toString('base64'), { mode: 0o600 });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return Buffer.from(await readFile(file, 'utf8'), 'base64');
}
