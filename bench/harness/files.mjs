// The files that hold the last result of each benchmark: `latest.json`, its picture, and the tables in the README.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawRows } from './picture.mjs';
import { describeResult } from './report.mjs';
import { rowsTable } from './table.mjs';

const BEGIN = '<!-- Written by npm run bench from here -->';
const END = '<!-- to here -->';
/** Tables with more rows stay in latest.json. */
const MAX_ROWS = 60;

/**
 * Writes results over those of the same benchmarks and keeps all others.
 * @param {string} folder made if necessary
 * @param {Readonly<Record<string, import('./report.mjs').Result>>} results by benchmark
 * @returns {Record<string, import('./report.mjs').Result>} all results that the folder now holds
 */
export function writeResults(folder, results) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'latest.json');
  const kept = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  const all = { ...kept, ...results };
  const sorted = Object.fromEntries(Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(path, `${JSON.stringify(sorted, null, 2)}\n`);
  writeFileSync(join(folder, 'latest.svg'), drawResults(sorted));
  return sorted;
}

/** Draws the rows of all results. */
export function drawResults(results) {
  return drawRows(Object.values(results).flatMap(({ rows }) => rows));
}

/**
 * Replaces the part of a document between the two marks by the tables of the results.
 * @param {string} text
 * @param {Readonly<Record<string, import('./report.mjs').Result>>} results
 */
export function replaceTables(text, results) {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error('the document has no place for the tables');
  const targets = Object.values(results).flatMap(({ rows }) =>
    rows.filter(({ target, targetId }) => target !== null && targetId === undefined),
  );
  const parts = Object.entries(results).map(([name, result]) => {
    const texts = result.texts.filter((part) => part.split('\n').length <= MAX_ROWS);
    const when = `${result.began.slice(0, 10)}, ${result.options.rounds} rounds; ${result.setup}.`;
    return `${describeResult(name, { ...result, texts })}\n\n${when}`;
  });
  const reasons = targets
    .filter(({ reached, target }) => reached === false && target.open !== undefined)
    .map(({ name, target }) => `- ${name}: ${target.open}`)
    .join('\n');
  const written = ['### Rows with a target', rowsTable(targets), reasons, ...parts].join('\n\n');
  return `${text.slice(0, begin)}${BEGIN}\n\n${written}\n\n${text.slice(end)}`;
}
