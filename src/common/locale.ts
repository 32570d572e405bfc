/** The locale of a user who has not chosen one. Every mail exists in this language. */
export const DEFAULT_LOCALE = 'en';
/** The maximum number of characters of a locale. Every registered language tag fits (RFC 5646, 4.4.1). */
export const MAX_LOCALE_LENGTH = 35;

/** The maximum number of ranges that are read from an `Accept-Language` header. Browsers send fewer. */
const MAX_RANGES = 20;
const RANGE = /^([a-z\d-]{1,35}|\*)(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i;

/** Returns the tag in its canonical spelling (BCP 47), or null for text that is not a language tag. */
export function canonicalLocale(tag: string): string | null {
  if (tag.length > MAX_LOCALE_LENGTH) return null;
  try {
    const [canonical = ''] = Intl.getCanonicalLocales(tag);
    return canonical === '' || canonical.length > MAX_LOCALE_LENGTH ? null : canonical;
  } catch {
    return null;
  }
}

/**
 * Finds the language for a tag by cutting subtags from its end: `de-AT` finds `de` (RFC 4647, 3.4).
 * @returns null when none of `available` fits
 */
export function findLanguage(tag: string, available: readonly string[]): string | null {
  for (
    let range = tag.toLowerCase();
    range !== '';
    range = range.slice(0, Math.max(0, range.lastIndexOf('-')))
  ) {
    const found = available.find((each) => each.toLowerCase() === range);
    if (found !== undefined) return found;
  }
  return null;
}

/**
 * Returns the available language that an `Accept-Language` header prefers.
 * @returns the default when the header is absent, malformed or names no available language
 */
export function preferredLanguage(header: string | undefined, available: readonly string[]): string {
  const ranges = (header ?? '')
    .split(',', MAX_RANGES)
    .map((range) => RANGE.exec(range.trim()))
    .flatMap((match) => (match ? [{ tag: match[1] ?? '', quality: Number(match[2] ?? 1) }] : []))
    .filter(({ quality }) => quality > 0)
    .toSorted((a, b) => b.quality - a.quality);
  for (const { tag } of ranges) {
    const found = tag === '*' ? DEFAULT_LOCALE : findLanguage(tag, available);
    if (found !== null) return found;
  }
  return DEFAULT_LOCALE;
}
