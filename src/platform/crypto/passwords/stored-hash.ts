import { readAspNet } from './formats/asp-net.js';
import { readCrypt } from './formats/crypt.js';
import { readFirebase } from './formats/firebase.js';
import { isFault } from './formats/limits.js';
import { readPhc } from './formats/phc.js';
import { readPrefixed } from './formats/prefixed.js';
import { readDjango, readWerkzeug } from './formats/python.js';
import { readRefused } from './formats/refused.js';
import { HashFault, type Reading, type StoredHash } from './hash.types.js';

/** The maximum number of characters of a hash. The longest accepted formats have about 400. */
const MAX_CHARS = 1024;

/** The readers of the formats, which tell each other's apart by their beginnings. */
const READERS: readonly ((text: string) => Reading | null)[] = [
  readPhc,
  readCrypt,
  readDjango,
  readWerkzeug,
  readPrefixed,
  readFirebase,
  readAspNet,
  readRefused,
];

/**
 * Reads a stored password hash with strict grammars. Returns a fault for a hash that no known system writes,
 * that gives its password away or that is too expensive to verify.
 */
export function readStoredHash(text: string): Reading {
  if (text.length > MAX_CHARS) return new HashFault(`is longer than ${MAX_CHARS} characters`);
  for (const read of READERS) {
    const found = read(text);
    if (found) return found;
  }
  return new HashFault('is in no format that is accepted; the migration guide lists those');
}

/**
 * Returns the same as `readStoredHash`, and null for a fault. The import and every verification read a hash
 * this way, so that it is never trusted just because it is stored.
 */
export function parseStoredHash(text: string): StoredHash | null {
  const reading = readStoredHash(text);
  return isFault(reading) ? null : reading;
}
