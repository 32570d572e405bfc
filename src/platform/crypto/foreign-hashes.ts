import { pbkdf2, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { verify } from 'argon2';
import { compare } from 'bcrypt';

const derivePbkdf2 = promisify(pbkdf2);
const deriveScrypt = promisify<
  string,
  Buffer,
  number,
  { N: number; r: number; p: number; maxmem: number },
  Buffer
>(scrypt);

/** What one verification may cost, a second or so; above it a hash is not believed to be one. */
const MAX_ARGON2_KIB = 2 ** 18;
/** Memory times passes; argon2's own defaults are 3 * 2^16. */
const MAX_ARGON2_WORK = 2 ** 20;
const MAX_ARGON2_LANES = 16;
const MAX_BCRYPT_COST = 14;
const MAX_SCRYPT_LOG_N = 17;
/** N * r * p; OWASP's strongest is 2^20. */
const MAX_SCRYPT_WORK = 2 ** 21;
const MAX_PBKDF2_ITERATIONS = 2_000_000;

/** Parameters in any order: the library's own is `m,p,t`, the reference's `m,t,p`. */
const ARGON2 = /^\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$([mtp=\d,]{11,24})\$[\w+/]{11,88}\$[\w+/]{22,88}$/;
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z\d]{53}$/;
const SCRYPT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/.=-]{11,88})\$([\w+/.=-]{22,88})$/;
/** As PHC (`i=600000`, perhaps `,l=32`), and as passlib writes it (the number alone). */
const PBKDF2 =
  /^\$pbkdf2-(sha256|sha512)\$(?:i=)?(\d{1,7})(?:,l=\d{1,3})?\$([\w+/.=-]{11,88})\$([\w+/.=-]{22,88})$/;

type Verify = (password: string) => Promise<boolean>;

/**
 * How to verify a password against a stored hash, ours or one that another system made; null when its
 * form is not known or its cost is absurd.
 */
export function verifierOf(phc: string): Verify | null {
  const verifyOne = argon2Hash(phc) ?? bcryptHash(phc) ?? scryptHash(phc) ?? pbkdf2Hash(phc);
  if (!verifyOne) return null;
  return async (password) => {
    for (const spelling of spellings(password)) if (await verifyOne(spelling)) return true;
    return false;
  };
}

/** Ours are over the NFC form; other systems hashed what they were sent. */
const spellings = (password: string): Set<string> => new Set([password.normalize('NFC'), password]);

function argon2Hash(phc: string): Verify | null {
  const cost = new Map(
    ARGON2.exec(phc)?.[1]
      ?.split(',')
      .map((part) => part.split('=') as [string, string]),
  );
  const [kib, passes, lanes] = ['m', 't', 'p'].map((name) => Number(cost.get(name))) as [
    number,
    number,
    number,
  ];
  // Eight blocks a lane are argon2's own minimum (RFC 9106, 3.1). What is not a number fails every test.
  const believed =
    lanes >= 1 &&
    lanes <= MAX_ARGON2_LANES &&
    kib >= 8 * lanes &&
    kib <= MAX_ARGON2_KIB &&
    passes >= 1 &&
    kib * passes <= MAX_ARGON2_WORK;
  return believed && cost.size === 3 ? (password) => verify(phc, password) : null;
}

function bcryptHash(phc: string): Verify | null {
  const cost = Number(BCRYPT.exec(phc)?.[1]);
  if (!(cost >= 4 && cost <= MAX_BCRYPT_COST)) return null;
  // PHP's name for what everybody else calls 2b, and which the library does not know.
  const known = phc.replace(/^\$2y/, '$2b');
  return (password) => compare(password, known);
}

function scryptHash(phc: string): Verify | null {
  const match = SCRYPT.exec(phc);
  if (!match) return null;
  const [logN, r, p] = match.slice(1, 4).map(Number) as [number, number, number];
  if (logN < 1 || logN > MAX_SCRYPT_LOG_N || r < 1 || p < 1 || 2 ** logN * r * p > MAX_SCRYPT_WORK)
    return null;
  const salt = decode(match[4]);
  const expected = decode(match[5]);
  const options = { N: 2 ** logN, r, p, maxmem: 256 * r * (2 ** logN + p) };
  return async (password) =>
    timingSafeEqual(await deriveScrypt(password, salt, expected.length, options), expected);
}

function pbkdf2Hash(phc: string): Verify | null {
  const match = PBKDF2.exec(phc);
  const iterations = Number(match?.[2]);
  if (!match || iterations < 1 || iterations > MAX_PBKDF2_ITERATIONS) return null;
  const salt = decode(match[3]);
  const expected = decode(match[4]);
  return async (password) =>
    timingSafeEqual(
      await derivePbkdf2(password, salt, iterations, expected.length, match[1] ?? ''),
      expected,
    );
}

/** Base64 with or without padding; passlib writes `.` for `+`. */
const decode = (text = ''): Buffer => Buffer.from(text.replaceAll('.', '+'), 'base64');
