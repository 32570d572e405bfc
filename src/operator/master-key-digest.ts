import type { Config } from '../config/config.js';
import { Cipher } from '../platform/crypto/cipher.service.js';
import { readMasterKey } from '../platform/crypto/read-master-key.js';

/** Returns a digest that shows whether a backup and a configuration have the same master key, and nothing else of it. */
export const masterKeyDigest = async (config: Config): Promise<string> =>
  new Cipher(await readMasterKey(config)).digest('master key', 'backup').toString('hex');
