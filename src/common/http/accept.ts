/** One media range of an `Accept` header, such as `text/*;q=0.5`. */
interface MediaRange {
  readonly type: string;
  readonly subtype: string;
  readonly weight: number;
}

interface Preference {
  readonly weight: number;
  /** 2 for an exact type, 1 for `type/*`, 0 for the wildcard of all types. */
  readonly specificity: number;
  /** The index of the range in the header. */
  readonly place: number;
}

const RANGE = /^([!#$%&'*+.^_`|~\w-]+)\/([!#$%&'*+.^_`|~\w-]+)$/;
/** A quoted string, including an unterminated one, so that the scan visits each character once. */
const QUOTED = /"(?:[^"\\]|\\.?)*(?:"|$)/g;
const ANYTHING = '*';

/**
 * Returns the offered media type that the `Accept` header prefers (RFC 9110, 12.5.1), or null when it accepts
 * none. Ignores the parameters of a range other than its weight, because the service offers each type in one
 * form. Thus `text/csv; charset=utf-8` matches `text/csv`. Among types of the same weight the more specific
 * range wins, then the first range in the header, then the first offer.
 */
export function preferredType(accept: string | undefined, offers: readonly string[]): string | null {
  const [first = null] = offers;
  if (accept === undefined || /^[\s,]*$/.test(accept)) return first;
  const ranges = parseAccept(accept);
  const candidates = offers.flatMap((offer) => {
    const preference = preferenceOf(offer, ranges);
    return preference && preference.weight > 0 ? [{ offer, preference }] : [];
  });
  const [best] = candidates.toSorted(({ preference: a }, { preference: b }) => compare(a, b));
  return best?.offer ?? null;
}

function compare(a: Preference, b: Preference): number {
  return b.weight - a.weight || b.specificity - a.specificity || a.place - b.place;
}

/**
 * Applies the most specific range, even if it refuses the type. Of equally specific ranges the one with the
 * greatest weight applies.
 */
function preferenceOf(offer: string, ranges: readonly MediaRange[]): Preference | null {
  const [type = '', subtype = ''] = offer.split('/');
  let best: Preference | null = null;
  for (const [place, range] of ranges.entries()) {
    const specificity = specificityOf(range, type, subtype);
    if (specificity === null) continue;
    const isBetter =
      !best ||
      specificity > best.specificity ||
      (specificity === best.specificity && range.weight > best.weight);
    if (isBetter) best = { weight: range.weight, specificity, place };
  }
  return best;
}

function specificityOf(range: MediaRange, type: string, subtype: string): number | null {
  if (range.type === type && range.subtype === subtype) return 2;
  if (range.subtype !== ANYTHING) return null;
  if (range.type === type) return 1;
  return range.type === ANYTHING ? 0 : null;
}

/** Skips entries that are not media ranges. */
function parseAccept(accept: string): MediaRange[] {
  // A quoted parameter may contain the separators of ranges and parameters.
  const plain = accept.replaceAll(QUOTED, (quoted) => (/[,;]/.test(quoted) ? '""' : quoted));
  return plain.split(',').flatMap((part) => {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const [, type, subtype] = RANGE.exec(range) ?? [];
    if (type === undefined || subtype === undefined) return [];
    return [{ type, subtype, weight: weightOf(parameters) }];
  });
}

/** Returns the weight clamped to 0…1. A missing or non-numeric weight counts as 1. */
function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const [, value = ''] = /^q\s*=\s*"?([^"]*)"?$/.exec(parameter) ?? [];
    const weight = value === '' ? Number.NaN : Number(value);
    if (!Number.isNaN(weight)) return Math.min(Math.max(weight, 0), 1);
  }
  return 1;
}
