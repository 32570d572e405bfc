import { askSecret, canAsk } from '../cli/output/prompts.js';
import { MIN_PASSPHRASE } from '../config/secret-formats.js';

/**
 * Returns the configured passphrase of backups, or asks a person for it. `twice` asks again, because nobody could
 * restore a backup with a mistyped one.
 * @throws when there is none and no terminal, or the answer is too short or not the same
 */
export async function obtainPassphrase(configured: string | undefined, twice: boolean): Promise<string> {
  if (configured !== undefined) return configured;
  if (!canAsk()) {
    throw new Error(
      'set BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE, because there is no terminal to ask for it',
    );
  }
  const passphrase = await askSecret('Passphrase of the backup: ');
  if (passphrase.length < MIN_PASSPHRASE) {
    throw new Error(`the passphrase must have at least ${MIN_PASSPHRASE} characters`);
  }
  if (twice && (await askSecret('The same passphrase again: ')) !== passphrase) {
    throw new Error('the two passphrases differ');
  }
  return passphrase;
}
