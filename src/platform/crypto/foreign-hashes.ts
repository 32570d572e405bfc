import { pbkdf2, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { compare } from 'bcrypt';

const derivePbkdf2 = promisify(pbkdf2);
const deriveScrypt = promisify<
  string,
  Buffer,
  number,
  { N: number; r: number; p: number; maxmem: number },
  Buffer
>(scrypt);

/** What one verification may cost; above it a hash is not believed to be one. */
const MAX_BCRYPT_COST = 15;
const MAX_SCRYPT_LOG_N = 17;
const MAX_SCRYPT_R = 16;
const MAX_SCRYPT_P = 8;
const MAX_PBKDF2_ITERATIONS = 2_000_000;

const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z\d]{53}$/;
const SCRYPT = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/.=-]{11,88})\$([\w+/.=-]{22,88})$/;
/** As PHC (`i=600000`, perhaps `,l=32`), and as passlib writes it (the number alone). */
const PBKDF2 =
  /^\$pbkdf2-(sha256|sha512)\$(?:i=)?(\d{1,7})(?:,l=\d{1,3})?\$([\w+/.=-]{11,88})\$([\w+/.=-]{22,88})$/;

type Verify = (password: string) => Promise<boolean>;

/** How to verify a password against a hash that another system made; null when its form is not known. */
export function foreignHash(phc: string): Verify | null {
  return bcryptHash(phc) ?? scryptHash(phc) ?? pbkdf2Hash(phc);
}

function bcryptHash(phc: string): Verify | null {
  const match = BCRYPT.exec(phc);
  if (!match || Number(match[1]) > MAX_BCRYPT_COST) return null;
  return (password) => compare(password, phc);
}

function scryptHash(phc: string): Verify | null {
  const match = SCRYPT.exec(phc);
  if (!match) return null;
  const [logN, r, p] = match.slice(1, 4).map(Number) as [number, number, number];
  if (logN < 1 || logN > MAX_SCRYPT_LOG_N || r < 1 || r > MAX_SCRYPT_R || p < 1 || p > MAX_SCRYPT_P)
    return null;
  const salt = decode(match[4]);
  const expected = decode(match[5]);
  const options = { N: 2 ** logN, r, p, maxmem: 256 * 2 ** logN * r };
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
