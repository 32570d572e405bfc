import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  FIREBASE_END,
  FIREBASE_KEY,
  KEYCLOAK_DATA,
  KEYCLOAK_SECRET,
  knownHashes,
} from '../../../../../test/support/builders/known-hashes.js';
import { relativeCost } from '../hash-cost.js';
import { HashFault } from '../hash.types.js';
import { readImportedHash } from '../imported-hash.js';
import { parseStoredHash, readStoredHash } from '../stored-hash.js';
import { verifyStored } from '../verify-foreign-hash.js';

const TEXTS = knownHashes.flatMap(({ exported }) => (typeof exported === 'string' ? [exported] : []));

function storedOf(exported: unknown): string {
  const text = readImportedHash(exported);
  if (typeof text !== 'string') throw new Error(text === null ? 'no password' : text.reason);
  return text;
}

const faultOf = (exported: unknown): string => {
  const read = readImportedHash(exported);
  return read instanceof HashFault ? read.reason : 'no fault';
};

describe('a hash of another system', () => {
  it.each(knownHashes)('is verified: $exported ($source)', async ({ password, exported }) => {
    const hash = parseStoredHash(storedOf(exported));
    if (!hash) throw new Error('the stored text is refused');
    expect(await verifyStored(hash, [password])).toBe(true);
    expect(await verifyStored(hash, [`${password}x`])).toBe(false);
    expect(await verifyStored(hash, [''])).toBe(false);
  });

  it('is kept in the spelling of that system', () => {
    for (const text of TEXTS) if (!text.startsWith('{"')) expect(readImportedHash(text)).toBe(text);
  });

  it('is documented by the beginning of its text', () => {
    const page = readFileSync(
      new URL('../../../../../docs/guides/migrating/password-hashes.md', import.meta.url),
      'utf8',
    );
    const name = /^(?:\{[^}]+\}(?:\$\w\$)?|\$[\w-]+\$|[a-z\d_]+[$:]|AQAAAA|A)/;
    for (const text of TEXTS) {
      const [beginning = text] = name.exec(text) ?? [];
      if (!text.startsWith('{"')) expect(page).toContain(`\`${beginning}`);
    }
  });

  it('means no password where Django and shadow(5) write that there is none', () => {
    for (const text of ['!jZIzCVOf4OGXqbOlG1lZ5VZwoj0ZPbT1ekdqssFm', '!'])
      expect(readImportedHash(text)).toBeNull();
  });

  it.each([
    ['{SSHA}clgQgk5xvo3fhJ151SBdCnQFlWRca22t', '{SSHA}'],
    ['{ssha}clgQgk5xvo3fhJ151SBdCnQFlWRca22t', '{SSHA}'],
    ['{MD5}X03MO1qnZdYdgyfeuILPmQ==', '{MD5}'],
    ['{sha256}97cde38028ad898ebc02e690819fa220e88c62e0699403e94fff291cfffaf8410849f27605abcbc0', '{SHA256}'],
    ['5f4dcc3b5aa765d61d8327deb882cf99', 'MD5 or NTLM'],
    ['5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8', 'SHA-1'],
    ['md5$seasalt2$df64b6817a20f07df1bcc6710ca2b78d', 'salted MD5'],
    ['sha1$q2FKb6g5J3VE$67b048eddec18669a537bf45f0534c55de91889e', 'salted SHA-1'],
    ['$1$pfV9WL3q$e0EVFkezoZGDTZ2HX9p7c1', 'md5-crypt'],
    ['{CRYPT}$1$S5WnQ3BK$GDgpPD2x55aScXSBOdxD//', 'md5-crypt'],
    ['$apr1$chRustPt$QGfEGyZAwvmRt.p2Cky.G.', 'Apache’s md5-crypt'],
  ])('is refused as fast: %s', (text, scheme) => {
    expect(faultOf(text)).toBe(
      `is ${scheme}, a fast hash that gives its passwords away once it leaks; leave it out and let the user reset the password`,
    );
  });

  it.each([
    [`$2b$31$${'a'.repeat(21)}u${'a'.repeat(31)}`, 'is bcrypt: its cost of 31 is above the limit of 14'],
    [
      '$2b$03$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
      'is bcrypt: its cost of 3 is below the minimum of 4',
    ],
    [
      'bcrypt_sha256$$2b$15$QUyhpZQKdFYue1ME2HLxTufKlPuVkgz7mHJWSQm6UEMqLJRJOFZCe',
      'is Django bcrypt_sha256: its cost of 15 is above the limit of 14',
    ],
    [
      '$argon2id$v=19$m=4194304,t=3,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
      'is argon2id: its memory of 4194304 KiB is above the limit of 262144 KiB',
    ],
    [
      'pbkdf2_sha256$2000001$seasalt2$egbhFghgsJVDo5Tpg/k9ZnfbySKQ1UQnBYXhR97a7sk=',
      'is Django pbkdf2_sha256: its iteration count of 2000001 is above the limit of 2000000',
    ],
    [
      'scrypt:1048576:8:1$PT3aFaXbrXXnDUIP$044f1541d12d3c96c6665bdc7871920c',
      'is Werkzeug scrypt: its log2(N) of 20 is above the limit of 17',
    ],
    [
      'scrypt:1000:8:1$PT3aFaXbrXXnDUIP$044f1541d12d3c96c6665bdc7871920c',
      'is Werkzeug scrypt: its N of 1000 is not a power of 2',
    ],
    [
      '$6$rounds=1000001$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
      'is sha512-crypt: its round count of 1000001 is above the limit of 1000000',
    ],
    ['$P$K12345678L6Lpt4BxNotVIMILOa9u81', 'is phpass: its log2 of rounds of 22 is above the limit of 20'],
    [
      `$firebase-scrypt$r=8,m=18,sep=Bw==,key=${FIREBASE_KEY}${FIREBASE_END}`,
      'is Firebase scrypt: its log2(N) of 18 is above the limit of 17',
    ],
    [
      { ...KEYCLOAK_SECRET, ...KEYCLOAK_DATA, hashIterations: 9_000_000 },
      'is PBKDF2 with SHA256: its iteration count of 9000000 is above the limit of 2000000',
    ],
    [
      { ...KEYCLOAK_SECRET, algorithm: 'md5', hashIterations: 1 },
      'is a Keycloak credential with the algorithm md5, which is not supported',
    ],
    [{ ...KEYCLOAK_SECRET, hashIterations: 1 }, 'is a Keycloak credential without its algorithm'],
    [
      `$pbkdf2-sha256$i=1000$c29tZXNhbA$${'A'.repeat(43)}`,
      'is PBKDF2 with SHA256: its salt of 7 bytes is below the minimum of 8 bytes',
    ],
    ['$2x$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy', 'is $2x$, the broken variant of bcrypt'],
    [
      '$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7',
      'is yescrypt, which is not supported',
    ],
    ['{noop}password', 'is a password in plain text, and only hashes are accepted'],
    [
      `$firebase-scrypt$r=8,m=14,sep=Bw==,ref=01890a5d-ac96-774b-bcce-b302099a8057${FIREBASE_END}`,
      'is Firebase scrypt without the key of its project',
    ],
    ['correct horse', 'is in no format that is accepted; the migration guide lists those'],
    [42, 'must be text or a Keycloak credential'],
    ['x'.repeat(1025), 'is longer than 1024 characters'],
  ])('is refused with the scheme that was seen and the bound that was passed: %j', (exported, fault) => {
    expect(faultOf(exported)).toBe(fault);
  });

  const salted = fc
    .tuple(
      fc.constantFrom(...TEXTS),
      fc.array(fc.tuple(fc.nat({ max: 60 }), fc.bigInt({ min: 0n, max: 10n ** 17n })), { maxLength: 4 }),
    )
    .map(([text, numbers]) => {
      // Replaces some of the numbers in the text by others.
      let at = 0;
      return text.replaceAll(/\d+/g, (digits) => {
        const [, number] = numbers.find(([place]) => place === at++) ?? [];
        return number === undefined ? digits : String(number);
      });
    });
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .tuple(fc.constantFrom(...TEXTS), fc.nat(), fc.string({ unit: 'binary', maxLength: 5 }))
      .map(([text, place, piece]) => {
        const at = place % text.length;
        return text.slice(0, at) + piece + text.slice(at + 1);
      }),
    salted,
  );

  it('is accepted or refused, whatever the text, and costs a bounded time when it is accepted', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const reading = readStoredHash(text);
        if (reading instanceof HashFault) expect(reading.reason).toMatch(/^is /);
        else expect(relativeCost(reading)).toBeLessThanOrEqual(60);
      }),
      { numRuns: 3000 },
    );
  });

  it('is accepted or refused, whatever the JSON', () => {
    const fields = ['secretData', 'credentialData', 'value', 'salt', 'algorithm', 'hashIterations'];
    const credential = fc.dictionary(fc.constantFrom(...fields, 'additionalParameters'), fc.jsonValue());
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          credential,
          credential.map((each) => JSON.stringify(each)),
        ),
        (given) => {
          const read = readImportedHash(given);
          if (typeof read === 'string') expect(parseStoredHash(read)).not.toBeNull();
        },
      ),
      { numRuns: 2000 },
    );
  });
});
