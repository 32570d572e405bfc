import type { Pool } from 'pg';
import { to } from 'pg-copy-streams';

/** Between columns, and around a value that holds one of these or a line break: no text of ours has them. */
export const COPY_DELIMITER = '\x02';
export const COPY_QUOTE = '\x01';
const FORM = String.raw`FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01'`;
/** Of the stream: more than what the socket gives at once, so that it is seldom paused. */
const HIGH_WATER_BYTES = 1024 * 1024;

/**
 * The rows of a query as text, by COPY: the fastest way out of the database. Whole in memory, and
 * the connection is free again before anything is done with them, so the caller bounds how many they are.
 */
export async function copyOut(pool: Pool, select: string): Promise<string> {
  const client = await pool.connect();
  let broken = true;
  try {
    const rows = client.query(
      to(`COPY (${select}) TO STDOUT (${FORM})`, { highWaterMark: HIGH_WATER_BYTES }),
    );
    const chunks: Buffer[] = [];
    for await (const chunk of rows) chunks.push(chunk as Buffer);
    broken = false;
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    client.release(broken);
  }
}

/** One line of values for each row; null where a column has none. */
export function* copiedRows(text: string): Generator<(string | null)[]> {
  if (text.includes(COPY_QUOTE)) {
    yield* quotedRows(text);
    return;
  }
  for (let start = 0; start < text.length;) {
    const end = text.indexOf('\n', start);
    const values: (string | null)[] = text.slice(start, end).split(COPY_DELIMITER);
    for (let i = 0; i < values.length; i++) if (values[i] === '') values[i] = null;
    yield values;
    start = end + 1;
  }
}

/** Where a value is quoted it may hold line breaks and delimiters, and an empty one is not null. */
function* quotedRows(text: string): Generator<(string | null)[]> {
  let values: (string | null)[] = [];
  for (let at = 0; at < text.length;) {
    const quoted = text[at] === COPY_QUOTE;
    const end = quoted ? endOfQuoted(text, at) : endOfPlain(text, at);
    const value = quoted
      ? text.slice(at + 1, end - 1).replaceAll(COPY_QUOTE + COPY_QUOTE, COPY_QUOTE)
      : text.slice(at, end) || null;
    values.push(value);
    if (text[end] === '\n') {
      yield values;
      values = [];
    }
    at = end + 1;
  }
}

/** Behind the closing quote; two of them in a row are one that is meant. */
function endOfQuoted(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf(COPY_QUOTE, at);
    if (text[quote + 1] !== COPY_QUOTE) return quote + 1;
    at = quote + 2;
  }
}

function endOfPlain(text: string, start: number): number {
  let at = start;
  while (text[at] !== COPY_DELIMITER && text[at] !== '\n') at++;
  return at;
}
