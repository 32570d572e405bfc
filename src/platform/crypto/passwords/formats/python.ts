import { HashFault, type Pbkdf2Hash, type Reading } from '../hash.types.js';
import { readBcrypt } from './crypt.js';
import { decodeBase64, HEX, LOOSE_BASE64, NUMBER, SALT_TEXT } from './encodings.js';
import { checkPbkdf2, checkScrypt, malformed, SHORT_SALT, undecodable } from './limits.js';
import { readPhc } from './phc.js';

const DJANGO_PBKDF2 = new RegExp(
  `^pbkdf2_(sha1|sha256|sha512)\\$${NUMBER}\\$${SALT_TEXT}\\$${LOOSE_BASE64}$`,
);
/** Django writes N, the salt, r, p and the digest. */
const DJANGO_SCRYPT = new RegExp(
  `^scrypt\\$${NUMBER}\\$${SALT_TEXT}\\$${NUMBER}\\$${NUMBER}\\$${LOOSE_BASE64}$`,
);
const WERKZEUG_PBKDF2 = new RegExp(`^pbkdf2:(sha1|sha256|sha512):${NUMBER}\\$${SALT_TEXT}\\$${HEX}$`);
const WERKZEUG_SCRYPT = new RegExp(`^scrypt:${NUMBER}:${NUMBER}:${NUMBER}\\$${SALT_TEXT}\\$${HEX}$`);

/** Reads the hashes of Django, which begin with the name of the hasher. */
export function readDjango(text: string): Reading | null {
  const scheme = `Django ${text.slice(0, text.indexOf('$'))}`;
  if (/^pbkdf2_\w+\$/.test(text)) return readDjangoPbkdf2(text);
  if (text.startsWith('scrypt$')) return readDjangoScrypt(text);
  if (text.startsWith('argon2$'))
    return readPhc(text.slice('argon2'.length)) ?? malformed(scheme, 'argon2$argon2id$…');
  if (text.startsWith('bcrypt$')) return readBcrypt(text.slice('bcrypt$'.length), scheme, null);
  if (text.startsWith('bcrypt_sha256$'))
    return readBcrypt(text.slice('bcrypt_sha256$'.length), scheme, 'django');
  return null;
}

function readDjangoPbkdf2(text: string): Reading {
  const scheme = 'Django PBKDF2';
  const [, hash, iterations, saltText = '', digestText] = DJANGO_PBKDF2.exec(text) ?? [];
  if (digestText === undefined) return malformed(scheme, 'pbkdf2_sha256$iterations$salt$hash');
  const digest = decodeBase64(digestText);
  if (!digest) return undecodable(scheme);
  const salt = Buffer.from(saltText);
  return checkPbkdf2(
    `Django pbkdf2_${hash}`,
    { algorithm: 'pbkdf2', hash: hash as Pbkdf2Hash['hash'], iterations: Number(iterations), salt, digest },
    SHORT_SALT,
  );
}

function readDjangoScrypt(text: string): Reading {
  const scheme = 'Django scrypt';
  const [, n, salt = '', r, p, digestText] = DJANGO_SCRYPT.exec(text) ?? [];
  if (digestText === undefined) return malformed(scheme, 'scrypt$N$salt$r$p$hash');
  const digest = decodeBase64(digestText);
  return digest ? scryptOf(scheme, [n, r, p], salt, digest) : undecodable(scheme);
}

/** Reads the hashes of Werkzeug, which are those of most Flask applications. */
export function readWerkzeug(text: string): Reading | null {
  if (text.startsWith('pbkdf2:')) {
    const [, hash, iterations, salt = '', digest = ''] = WERKZEUG_PBKDF2.exec(text) ?? [];
    if (digest === '') return malformed('Werkzeug PBKDF2', 'pbkdf2:sha256:iterations$salt$hash');
    return checkPbkdf2(
      `Werkzeug pbkdf2:${hash}`,
      {
        algorithm: 'pbkdf2',
        hash: hash as Pbkdf2Hash['hash'],
        iterations: Number(iterations),
        salt: Buffer.from(salt),
        digest: Buffer.from(digest, 'hex'),
      },
      SHORT_SALT,
    );
  }
  if (!text.startsWith('scrypt:')) return null;
  const [, n, r, p, salt = '', digest = ''] = WERKZEUG_SCRYPT.exec(text) ?? [];
  if (digest === '') return malformed('Werkzeug scrypt', 'scrypt:N:r:p$salt$hash');
  return scryptOf('Werkzeug scrypt', [n, r, p], salt, Buffer.from(digest, 'hex'));
}

function scryptOf(
  scheme: string,
  parameters: readonly (string | undefined)[],
  salt: string,
  digest: Uint8Array,
): Reading {
  const [n, blockSize, parallelism] = parameters.map(Number) as [number, number, number];
  const logN = Math.log2(n);
  if (!Number.isInteger(logN)) return new HashFault(`is ${scheme}: its N of ${n} is not a power of 2`);
  return checkScrypt(
    scheme,
    { algorithm: 'scrypt', logN, blockSize, parallelism, salt: Buffer.from(salt), digest },
    SHORT_SALT,
  );
}
