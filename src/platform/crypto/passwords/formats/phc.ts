import { type Argon2Hash, HashFault, type Pbkdf2Hash, type Reading } from '../hash.types.js';
import { BASE64, decodeBase64, LOOSE_BASE64, NUMBER } from './encodings.js';
import { checkArgon2, checkPbkdf2, checkScrypt, malformed, undecodable } from './limits.js';

const NAME = /^\$(?:(argon2id|argon2i|argon2d)|(scrypt)|pbkdf2(?:-(sha1|sha256|sha512))?)\$/;
/** Matches both parameter orders: the argon2 package writes `m,p,t`, the reference implementation `m,t,p`. */
const ARGON2 = new RegExp(
  `^\\$argon2(?:id|i|d)(?:\\$v=(16|19))?\\$m=${NUMBER},(?:t=${NUMBER},p=${NUMBER}|p=${NUMBER},t=${NUMBER})\\$${BASE64}\\$${BASE64}$`,
);
const SCRYPT = new RegExp(
  `^\\$scrypt\\$ln=${NUMBER},r=${NUMBER},p=${NUMBER}\\$${LOOSE_BASE64}\\$${LOOSE_BASE64}$`,
);
/** Matches the PHC spelling (`i=600000`, optionally `,l=32`) and passlib's (only the number). */
const PBKDF2 = new RegExp(
  `^\\$pbkdf2(?:-sha\\d+)?\\$(?:i=${NUMBER}(?:,l=${NUMBER})?|${NUMBER})\\$${LOOSE_BASE64}\\$${LOOSE_BASE64}$`,
);

/** Reads argon2, scrypt and PBKDF2 in the PHC format and as passlib writes them. */
export function readPhc(text: string): Reading | null {
  const [name, argon2, scrypt, hash] = NAME.exec(text) ?? [];
  if (name === undefined) return null;
  if (argon2 !== undefined) return readArgon2(text, argon2 as Argon2Hash['type']);
  if (scrypt !== undefined) return readScrypt(text);
  // passlib's name for SHA-1 has no suffix.
  return readPbkdf2(text, (hash ?? 'sha1') as Pbkdf2Hash['hash']);
}

function readArgon2(text: string, type: Argon2Hash['type']): Reading {
  const match = ARGON2.exec(text);
  if (!match) return malformed(type, `$${type}$v=19$m=…,t=…,p=…$salt$hash`);
  const [, version = '16', m, t, p, otherP, otherT, ...bytes] = match;
  const [salt, digest] = bytes.map(decodeBase64);
  if (!salt || !digest) return undecodable(type);
  return checkArgon2(type, {
    algorithm: 'argon2',
    type,
    version: Number(version) as Argon2Hash['version'],
    memoryKib: Number(m),
    passes: Number(t ?? otherT),
    lanes: Number(p ?? otherP),
    salt,
    digest,
  });
}

function readScrypt(text: string): Reading {
  const match = SCRYPT.exec(text);
  if (!match) return malformed('scrypt', '$scrypt$ln=…,r=…,p=…$salt$hash');
  const [logN, blockSize, parallelism] = match.slice(1, 4).map(Number) as [number, number, number];
  const [salt, digest] = match.slice(4).map(decodeBase64);
  if (!salt || !digest) return undecodable('scrypt');
  return checkScrypt('scrypt', { algorithm: 'scrypt', logN, blockSize, parallelism, salt, digest });
}

function readPbkdf2(text: string, hash: Pbkdf2Hash['hash']): Reading {
  const scheme = `PBKDF2 with ${hash.toUpperCase()}`;
  const match = PBKDF2.exec(text);
  if (!match) return malformed(scheme, `$pbkdf2-${hash}$i=…$salt$hash`);
  const [, i, length, bare, ...bytes] = match;
  const [salt, digest] = bytes.map(decodeBase64);
  if (!salt || !digest) return undecodable(scheme);
  if (length !== undefined && Number(length) !== digest.length)
    return new HashFault(
      `is ${scheme}: its digest has ${digest.length} bytes instead of the stated ${length}`,
    );
  return checkPbkdf2(scheme, { algorithm: 'pbkdf2', hash, iterations: Number(i ?? bare), salt, digest });
}
