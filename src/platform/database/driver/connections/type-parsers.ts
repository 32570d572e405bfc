import pg from 'pg';

const { TIMESTAMPTZ } = pg.types.builtins;
// oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- pg's enumeration of types has no arrays
export const TEXT_ARRAY = 1009 as number as typeof TIMESTAMPTZ;
/** The length of `2026-11-27 22:43:53+00`, the shortest time of the years 1000 to 9999. */
const MIN_TIME_LENGTH = 22;
const DATE_LENGTH = 10;
const UTC = '+00';
/** Whatever makes an array of texts more than words with commas between them: quotes, nulls, arrays in it. */
const NOT_PLAIN = /["\\]|NULL|.\{/i;

const parseAnyTime = pg.types.getTypeParser(TIMESTAMPTZ);
const parseAnyArray = pg.types.getTypeParser(TEXT_ARRAY);

/**
 * Lets a client read the two types that a page of users has most of with less work: times, by Node's own parser of ISO
 * 8601, and arrays of plain words. Everything unusual is left to pg's parsers, which allocate 0.5 to 0.7 KB for each value.
 */
export function useFastParsers(client: pg.Client): void {
  client.setTypeParser(TIMESTAMPTZ, parseTime);
  client.setTypeParser(TEXT_ARRAY, parseTexts);
}

/** Parses a time as PostgreSQL prints it in its ISO style. Like pg, it drops what is smaller than a millisecond. */
export function parseTime(text: string): unknown {
  if (text.length < MIN_TIME_LENGTH || text[DATE_LENGTH] !== ' ' || !text.endsWith(UTC))
    return parseAnyTime(text);
  return new Date(`${text.slice(0, DATE_LENGTH)}T${text.slice(DATE_LENGTH + 1, -UTC.length)}Z`);
}

/** Parses an array of texts. */
export function parseTexts(text: string): unknown {
  if (!text.startsWith('{') || NOT_PLAIN.test(text)) return parseAnyArray(text);
  return text === '{}' ? [] : text.slice(1, -1).split(',');
}
