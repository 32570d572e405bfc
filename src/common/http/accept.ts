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
  /** The place of the range in the header. */
  readonly place: number;
}

const RANGE = /^([!#$%&'*+.^_`|~\w-]+)\/([!#$%&'*+.^_`|~\w-]+)$/;
/** A quoted string, also one that is never closed, so that each character is looked at once. */
const QUOTED = /"(?:[^"\\]|\\.?)*(?:"|$)/g;
const ANYTHING = '*';

/**
 * Returns the offered media type that the `Accept` header prefers (RFC 9110, 12.5.1), or null when it accepts none.
 * Parameters of a range other than its weight are ignored: we serve each type in one form only, so
 * `text/csv; charset=utf-8` asks for `text/csv`. Among types of the same weight the more exact range wins, then the
 * one that is named first, then the one that is offered first.
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

/** The most exact range decides, also when it refuses the type. Of equally exact ranges the heaviest decides. */
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

/** Skips entries that are no media range. */
function parseAccept(accept: string): MediaRange[] {
  // A quoted parameter may hold the characters that separate ranges and parameters.
  const plain = accept.replaceAll(QUOTED, (quoted) => (/[,;]/.test(quoted) ? '""' : quoted));
  return plain.split(',').flatMap((part) => {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const [, type, subtype] = RANGE.exec(range) ?? [];
    if (type === undefined || subtype === undefined) return [];
    return [{ type, subtype, weight: weightOf(parameters) }];
  });
}

/** A weight that is missing or no number counts as 1, and one out of range as the nearest in it. */
function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const [, value = ''] = /^q\s*=\s*"?([^"]*)"?$/.exec(parameter) ?? [];
    const weight = value === '' ? Number.NaN : Number(value);
    if (!Number.isNaN(weight)) return Math.min(Math.max(weight, 0), 1);
  }
  return 1;
}
