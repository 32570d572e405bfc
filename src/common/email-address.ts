import { Buffer } from 'node:buffer';
import { domainToASCII } from 'node:url';
import { codePointLength, trimText } from './text.js';

/** In code points, of the address as given and of its canonical form (RFC 5321, 4.5.3.1.3: a path of 256 with its brackets). */
export const MAX_EMAIL_LENGTH = 254;
/** RFC 5321, 4.5.3.1.1: in octets, so in UTF-8. */
const MAX_LOCAL_OCTETS = 64;

/**
 * A dot-atom of RFC 5322, and of what RFC 6532 adds the letters, marks and digits alone. Quoted local
 * parts are refused: nobody has one, and they may hold blanks, quotes and `@`.
 */
const LOCAL_PART = /^[\w!#$%&'*+/=?^`{|}~\p{L}\p{M}\p{Nd}-]+(?:\.[\w!#$%&'*+/=?^`{|}~\p{L}\p{M}\p{Nd}-]+)*$/u;
/** Before domainToASCII, which would decode `%41` and cut off `/path`. U+3002 is a dot in IDNA (UTS 46). */
const DOMAIN = /^[\p{L}\p{M}\p{Nd}.。-]+$/u;
/** Letters and marks too can be invisible (U+3164, U+FE0F), which has no place in what people compare by eye. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u;
/**
 * LDH labels of 1 to 63, two at least, the last not all digits (RFC 3696, 2): no bare host, no IP
 * address. The 253 of RFC 1035 cannot be passed within {@link MAX_EMAIL_LENGTH}.
 */
const ASCII_DOMAIN = /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+(?!\d+$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])$/;

/**
 * The form in which an address is unique: without outer white space, NFKC, lower case, its domain in
 * IDNA (UTS 46) ASCII. Only to compare: mail goes to the address as given. Idempotent.
 * @throws RangeError when there is none; its message does not hold the address
 */
export function canonicalEmail(given: string): string {
  const canonical = findCanonicalEmail(given);
  if (canonical === null) throw new RangeError('The e-mail address has no canonical form');
  return canonical;
}

/**
 * The canonical form, or null when the text is no address that mail could be sent to. Given and
 * canonical form are both judged: mail goes to the first, and NFKC can make blanks, `@` and more out
 * of single characters. Costs a bounded time beyond one pass over the text.
 */
export function findCanonicalEmail(given: string): string | null {
  const address = trimText(given);
  if (!isShortEnough(address) || asciiForm(address) === null) return null;
  const canonical = asciiForm(foldCompatibility(address));
  return canonical !== null && isShortEnough(canonical) ? canonical : null;
}

/** Without outer white space at most {@link MAX_EMAIL_LENGTH} code points: known after one pass, before any grammar is tried. */
export function isShortEnough(given: string): boolean {
  const address = trimText(given);
  return address.length <= 2 * MAX_EMAIL_LENGTH && codePointLength(address) <= MAX_EMAIL_LENGTH;
}

/** The address with its domain in ASCII, or null when it is none. */
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

/** NFKC comes last too: lower case can open a composition (H + U+0331 has none, h + U+0331 has). */
const foldCompatibility = (text: string): string => text.normalize('NFKC').toLowerCase().normalize('NFKC');
