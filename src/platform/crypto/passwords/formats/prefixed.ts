import type { Pbkdf2Hash, Reading } from '../hash.types.js';
import { readBcrypt, readCrypt } from './crypt.js';
import { decodeBase64, HEX, LOOSE_BASE64, NUMBER } from './encodings.js';
import { checkPbkdf2, checkScrypt, malformed, undecodable } from './limits.js';
import { readPhc } from './phc.js';
import { readRefused } from './refused.js';

const PREFIX = /^\{([\w@-]{1,40})\}(.*)$/s;
const LDAP_PBKDF2 = new RegExp(`^${NUMBER}\\$${LOOSE_BASE64}\\$${LOOSE_BASE64}$`);
const HEX_ONLY = new RegExp(`^${HEX}$`);
/** The hash begins with log2(N), r and p in hexadecimal: 8 to 16 bits, 8 bits and 8 bits. */
const SPRING_SCRYPT = new RegExp(
  `^\\$([\\da-f]{1,4})([\\da-f]{2})([\\da-f]{2})\\$${LOOSE_BASE64}\\$${LOOSE_BASE64}$`,
);

/** The parameters that Spring Security does not write into a hash, by the name in its prefix. */
const SPRING_PBKDF2 = {
  pbkdf2: { hash: 'sha1', iterations: 185_000, saltBytes: 8 },
  'pbkdf2@springsecurity_v5_8': { hash: 'sha256', iterations: 310_000, saltBytes: 16 },
} as const;
const LDAP_PBKDF2_HASHES: Readonly<Record<string, Pbkdf2Hash['hash']>> = {
  pbkdf2: 'sha1',
  'pbkdf2-sha1': 'sha1',
  'pbkdf2-sha256': 'sha256',
  'pbkdf2-sha512': 'sha512',
};

/** Reads hashes with a name in braces before them: those of Spring Security and of LDAP servers. */
export function readPrefixed(text: string): Reading | null {
  const [, name, rest = ''] = PREFIX.exec(text) ?? [];
  if (name === undefined) return null;
  const scheme = `{${name}}`;
  const key = name.toLowerCase();
  const [plain] = key.split('@');
  if (key === 'bcrypt') return readBcrypt(rest, scheme, null);
  if (key === 'crypt')
    return (
      readCrypt(rest) ?? readRefused(rest) ?? malformed(scheme, '{CRYPT}$2b$…, {CRYPT}$5$… or {CRYPT}$6$…')
    );
  if (plain === 'argon2') return readPhc(rest) ?? malformed(scheme, `${scheme}$argon2id$…`);
  if (plain === 'scrypt') return readSpringScrypt(scheme, rest);
  const ldapHash = Object.hasOwn(LDAP_PBKDF2_HASHES, key) ? LDAP_PBKDF2_HASHES[key] : undefined;
  if (ldapHash !== undefined && rest.includes('$')) return readLdapPbkdf2(scheme, ldapHash, rest);
  if (key === 'pbkdf2' || key === 'pbkdf2@springsecurity_v5_8') return readSpringPbkdf2(scheme, key, rest);
  return null;
}

function readSpringScrypt(scheme: string, rest: string): Reading {
  const [, logN, r, p, ...bytes] = SPRING_SCRYPT.exec(rest) ?? [];
  if (p === undefined) return malformed(scheme, `${scheme}$e0801$salt$hash`);
  const [salt, digest] = bytes.map(decodeBase64);
  if (!salt || !digest) return undecodable(scheme);
  const [cost, blockSize, parallelism] = [logN, r, p].map((digits) => Number.parseInt(digits ?? '', 16)) as [
    number,
    number,
    number,
  ];
  return checkScrypt(scheme, { algorithm: 'scrypt', logN: cost, blockSize, parallelism, salt, digest });
}

function readSpringPbkdf2(scheme: string, key: keyof typeof SPRING_PBKDF2, rest: string): Reading {
  const { hash, iterations, saltBytes } = SPRING_PBKDF2[key];
  const bytes = HEX_ONLY.test(rest) ? Buffer.from(rest, 'hex') : decodeBase64(rest);
  if (!bytes || bytes.length <= saltBytes)
    return malformed(scheme, `${scheme} and salt and hash in hexadecimal`);
  const [salt, digest] = [bytes.subarray(0, saltBytes), bytes.subarray(saltBytes)];
  return checkPbkdf2(scheme, { algorithm: 'pbkdf2', hash, iterations, salt, digest });
}

function readLdapPbkdf2(scheme: string, hash: Pbkdf2Hash['hash'], rest: string): Reading {
  const [, iterations, ...bytes] = LDAP_PBKDF2.exec(rest) ?? [];
  if (iterations === undefined) return malformed(scheme, `${scheme}iterations$salt$hash`);
  const [salt, digest] = bytes.map(decodeBase64);
  if (!salt || !digest) return undecodable(scheme);
  return checkPbkdf2(scheme, { algorithm: 'pbkdf2', hash, iterations: Number(iterations), salt, digest });
}
