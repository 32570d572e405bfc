import { z } from 'zod';
import { hasControlCharacters } from '../common/text.js';

/** The characters of a key: those of a token (RFC 9110, 5.6.2), so that it can name a header as well. */
const KEY = /^[!#$%&'*+.^_`|~\w-]+$/;

const FAULT = 'must be pairs such as key=value, separated by commas, with percent-encoded values';

/** A list of pairs as OpenTelemetry writes them in the environment: `key1=value1,key2=value2` (W3C Baggage). */
export const keyValueList = z.string().transform((value, context): Readonly<Record<string, string>> => {
  const pairs = value
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map(pairOf);
  if (pairs.includes(null)) context.addIssue({ code: 'custom', message: FAULT });
  return Object.fromEntries(pairs.filter((pair) => pair !== null));
});

function pairOf(text: string): readonly [string, string] | null {
  const end = text.indexOf('=');
  const key = text.slice(0, Math.max(end, 0)).trim();
  if (!KEY.test(key)) return null;
  try {
    const value = decodeURIComponent(text.slice(end + 1).trim());
    return hasControlCharacters(value) ? null : [key, value];
  } catch {
    return null;
  }
}
