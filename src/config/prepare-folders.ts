import { access, constants } from 'node:fs/promises';
import { createFolder } from '../common/create-folder.js';
import { type Config, ConfigError } from './config.js';

/**
 * Creates the folder that a variable names, if it is missing, and checks that it is writable.
 * @throws ConfigError that names the variable
 */
export async function prepareFolder(name: 'DATA_DIR' | 'MAIL_DIR', path: string): Promise<void> {
  try {
    await createFolder(path);
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError([
      `${name} must be a folder that the service can create and write to (${code}: ${path})`,
    ]);
  }
}

/** Fails the start if the service cannot write mails to the configured folder. */
export async function prepareMailFolder({ MAIL_DIR, SMTP_URL }: Config): Promise<void> {
  if (MAIL_DIR !== undefined && SMTP_URL === undefined) await prepareFolder('MAIL_DIR', MAIL_DIR);
}
