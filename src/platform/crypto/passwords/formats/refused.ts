import { HashFault } from '../hash.types.js';

/** Hashes that one core computes a million times a second or more, with or without a salt, by name. */
const FAST: Readonly<Record<string, string>> = {
  '{md4}': '{MD4}',
  '{md5}': '{MD5}',
  '{smd5}': '{SMD5}',
  '{sha}': '{SHA}',
  '{sha1}': '{SHA1}',
  '{sha-1}': '{SHA-1}',
  '{ssha}': '{SSHA}',
  '{sha256}': '{SHA256}',
  '{sha-256}': '{SHA-256}',
  '{ssha256}': '{SSHA256}',
  '{sha384}': '{SHA384}',
  '{ssha384}': '{SSHA384}',
  '{sha512}': '{SHA512}',
  '{sha-512}': '{SHA-512}',
  '{ssha512}': '{SSHA512}',
  '{ldap}': '{ldap}',
  '{nt}': '{NT}',
  '{lanman}': '{LANMAN}',
  $1$: 'md5-crypt',
  $apr1$: 'Apache’s md5-crypt',
  $3$: 'NTHASH',
  md5$: 'salted MD5',
  sha1$: 'salted SHA-1',
  sha256$: 'salted SHA-256',
  unsalted_md5$: 'MD5',
  unsalted_sha1$: 'SHA-1',
  crypt$: 'the DES of crypt(3)',
};
const PLAIN: ReadonlySet<string> = new Set(['{noop}', '{cleartext}', '{plain}', 'plain$']);
/** The schemes that are slow enough but that this service cannot verify, by name. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  $7$: 'scrypt of crypt(3)',
  $y$: 'yescrypt',
  $gy$: 'gost-yescrypt',
  $sha1$: 'sha1-crypt',
  $md5$: 'SunMD5',
  $S$: 'Drupal 7’s SHA-512',
  $p5k2$: 'PBKDF2 of crypt(3)',
  $scram$: 'SCRAM',
  '$bcrypt-sha256$': 'passlib’s bcrypt_sha256',
  '{pkcs5s2}': '{PKCS5S2}',
};
/** The fast hashes without a name, by their number of hexadecimal digits. */
const HEX_DIGESTS: Readonly<Record<number, string>> = {
  32: 'MD5 or NTLM',
  40: 'SHA-1',
  56: 'SHA-224',
  64: 'SHA-256',
  96: 'SHA-384',
  128: 'SHA-512',
};
const NAME = /^(?:\{[^{}]{1,20}\}|\$[^$]{1,20}\$|[a-z\d_]{1,20}\$)/;

/** Names the schemes that are never accepted, with the reason. Returns null for other text. */
export function readRefused(text: string): HashFault | null {
  const name = NAME.exec(text)?.[0] ?? '';
  const key = name.startsWith('{') ? name.toLowerCase() : name;
  if (PLAIN.has(key)) return new HashFault('is a password in plain text, and only hashes are accepted');
  const fast = own(FAST, key) ?? (/^[\da-f]+$/i.test(text) ? own(HEX_DIGESTS, text.length) : undefined);
  if (fast !== undefined) {
    return new HashFault(
      `is ${fast}, a fast hash that gives its passwords away once it leaks; leave it out and let the user reset the password`,
    );
  }
  const unsupported = own(UNSUPPORTED, key);
  return unsupported === undefined ? null : new HashFault(`is ${unsupported}, which is not supported`);
}

/** Returns an own property, so that text such as `constructor` finds nothing. */
const own = (names: Readonly<Record<string | number, string>>, key: string | number): string | undefined =>
  Object.hasOwn(names, key) ? names[key] : undefined;
