import { isFault } from './formats/limits.js';
import { fieldsOf, keycloakSpelling } from './formats/keycloak.js';
import { HashFault } from './hash.types.js';
import { readStoredHash } from './stored-hash.js';

/** Django and `shadow(5)` write this in place of a hash for a user who has no password. */
const NO_PASSWORD = /^!\w{0,64}$/;

/**
 * Reads a password hash as another system exports it: text, or a Keycloak credential as an object or its JSON
 * text.
 * @returns the text to store, null for a user without a password, or the fault
 */
export function readImportedHash(given: unknown): string | null | HashFault {
  if (typeof given === 'string' && NO_PASSWORD.test(given)) return null;
  const credential = typeof given === 'string' && !/^\s*\{\s*"/.test(given) ? null : fieldsOf(given);
  const text = credential ? keycloakSpelling(credential) : given;
  if (text instanceof HashFault) return text;
  if (typeof text !== 'string') return new HashFault('must be text or a Keycloak credential');
  const reading = readStoredHash(text);
  if (isFault(reading)) return reading;
  if (reading.algorithm === 'firebase-scrypt' && typeof reading.signer === 'string')
    return new HashFault('is Firebase scrypt without the key of its project');
  return text;
}
