import { Buffer } from 'node:buffer';
import { domainToASCII } from 'node:url';
import { codePointLength, trimText } from './text.js';

/**
 * The maximum number of code points of an address, both as given and in canonical form. RFC 5321, 4.5.3.1.3,
 * allows a path of 256 with its brackets.
 */
export const MAX_EMAIL_LENGTH = 254;
/** The maximum size of the local part in octets of UTF-8 (RFC 5321, 4.5.3.1.1). */
const MAX_LOCAL_OCTETS = 64;

/**
 * A dot-atom of RFC 5322, with only the letters, marks and digits that RFC 6532 adds. Quoted local parts are
 * rejected, because they are not used in practice and may contain blanks, quotes and `@`.
 */
const LOCAL_PART = /^[\w!#$%&'*+/=?^`{|}~\p{L}\p{M}\p{Nd}-]+(?:\.[\w!#$%&'*+/=?^`{|}~\p{L}\p{M}\p{Nd}-]+)*$/u;
/**
 * Checks the domain before domainToASCII, which would decode `%41` and cut off `/path`. U+3002 is a dot in
 * IDNA (UTS 46).
 */
const DOMAIN = /^[\p{L}\p{M}\p{Nd}.。-]+$/u;
/**
 * Matches invisible characters, which include letters and marks (U+3164, U+FE0F). They have no place in text
 * that people compare by eye.
 */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;
/**
 * At least two LDH labels of 1 to 63 characters, the last not all digits (RFC 3696, 2). This excludes bare
 * hosts and IP addresses. Within {@link MAX_EMAIL_LENGTH} the limit of 253 in RFC 1035 cannot be exceeded.
 */
const ASCII_DOMAIN = /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+(?!\d+$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])$/;

/**
 * Returns the canonical form in which an address is unique: trimmed, NFKC, lower case, with its domain in
 * IDNA (UTS 46) ASCII. Use it only for comparison, because mail goes to the address as given. Idempotent.
 * @throws RangeError when the text has no canonical form; the message omits the address
 */
export function canonicalEmail(given: string): string {
  const canonical = findCanonicalEmail(given);
  if (canonical === null) throw new RangeError('The email address has no canonical form');
  return canonical;
}

/**
 * Returns the canonical form, or null when mail cannot be sent to this text. Validates both the given and the
 * canonical form. Mail goes to the given form, and NFKC can turn single characters into blanks, `@` and more.
 * The cost is bounded beyond one pass over the text.
 */
export function findCanonicalEmail(given: string): string | null {
  const address = trimText(given);
  if (!isShortEnough(address) || asciiForm(address) === null) return null;
  const canonical = asciiForm(foldCompatibility(address));
  return canonical !== null && isShortEnough(canonical) ? canonical : null;
}

/**
 * Returns true if the trimmed address has at most {@link MAX_EMAIL_LENGTH} code points. One pass decides this
 * before any grammar runs.
 */
export function isShortEnough(given: string): boolean {
  const address = trimText(given);
  return address.length <= 2 * MAX_EMAIL_LENGTH && codePointLength(address) <= MAX_EMAIL_LENGTH;
}

/** Returns the address with its domain in ASCII, or null when it is invalid. */
function asciiForm(address: string): string | null {
  const at = address.indexOf('@');
  if (at < 0) return null;
  const local = address.slice(0, at);
  const domain = address.slice(at + 1);
  if (Buffer.byteLength(local) > MAX_LOCAL_OCTETS || INVISIBLE.test(address)) return null;
  if (!LOCAL_PART.test(local) || !DOMAIN.test(domain)) return null;
  const ascii = domainToASCII(domain);
  return ASCII_DOMAIN.test(ascii) ? `${local}@${ascii}` : null;
}

/**
 * Normalizes again after lower case, which can open a composition (H + U+0331 has none, h + U+0331 has one).
 */
const foldCompatibility = (text: string): string => text.normalize('NFKC').toLowerCase().normalize('NFKC');
