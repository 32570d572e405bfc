import { type BcryptHash, HashFault, type Reading } from '../hash.types.js';
import { CRYPT_ALPHABET, NUMBER } from './encodings.js';
import { checkBcrypt, checkPhpass, checkShaCrypt, malformed } from './limits.js';

const BCRYPT_NAME = /^\$2[a-z]?\$/;
/**
 * Checks the last character of salt and digest, which carries fewer than six bits; the other bits must be
 * zero.
 */
const BCRYPT = /^\$2[aby]\$(\d\d)\$([./A-Za-z\d]{21}[.Oeu][./A-Za-z\d]{30}[.CGKOSWaeimquy26])$/;
/** glibc reads at most 16 characters of a salt and writes no more. */
const SHA_CRYPT = new RegExp(
  `^\\$[56]\\$(?:rounds=${NUMBER}\\$)?([!-#%-9;-~]{1,16})\\$([./A-Za-z\\d]{42}[./\\dA-D]|[./A-Za-z\\d]{85}[./01])$`,
);
const SHA_CRYPT_DIGEST_CHARS = { sha256: 43, sha512: 86 } as const;
const DEFAULT_SHA_CRYPT_ROUNDS = 5000;
const PHPASS = /^\$[PH]\$([./A-Za-z\d])([./A-Za-z\d]{8})([./A-Za-z\d]{21}[./01])$/;

/** Reads the formats of `crypt(3)` that are slow enough, those of phpass, and those of WordPress. */
export function readCrypt(text: string): Reading | null {
  if (BCRYPT_NAME.test(text)) return readBcrypt(text, 'bcrypt', null);
  if (text.startsWith('$wp$')) return readBcrypt(text.slice('$wp'.length), 'WordPress bcrypt', 'wordpress');
  if (text.startsWith('$5$')) return readShaCrypt(text, 'sha256');
  if (text.startsWith('$6$')) return readShaCrypt(text, 'sha512');
  return /^\$[PH]\$/.test(text) ? readPhpass(text) : null;
}

export function readBcrypt(text: string, scheme: string, prehash: BcryptHash['prehash']): Reading {
  if (text.startsWith('$2x$')) return new HashFault('is $2x$, the broken variant of bcrypt');
  const match = BCRYPT.exec(text);
  if (!match) return malformed(scheme, '$2b$, two digits, and 53 characters of salt and hash');
  const cost = Number(match[1]);
  return checkBcrypt(scheme, {
    algorithm: 'bcrypt',
    cost,
    text: `$2b$${match[1]}$${match[2]}`,
    prehash,
  });
}

function readShaCrypt(text: string, hash: 'sha256' | 'sha512'): Reading {
  const scheme = `${hash}-crypt`;
  const [, rounds, salt = '', digest = ''] = SHA_CRYPT.exec(text) ?? [];
  if (digest.length !== SHA_CRYPT_DIGEST_CHARS[hash])
    return malformed(scheme, `${text.slice(0, 3)}rounds=…$salt$hash with a salt of up to 16 characters`);
  return checkShaCrypt(scheme, {
    algorithm: 'sha-crypt',
    hash,
    rounds: rounds === undefined ? DEFAULT_SHA_CRYPT_ROUNDS : Number(rounds),
    salt,
    digest,
  });
}

function readPhpass(text: string): Reading {
  const [, rounds = '', salt = '', digest = ''] = PHPASS.exec(text) ?? [];
  if (digest === '') return malformed('phpass', '$P$ and 31 characters');
  const logRounds = CRYPT_ALPHABET.indexOf(rounds);
  return checkPhpass('phpass', { algorithm: 'phpass', logRounds, salt, digest });
}
