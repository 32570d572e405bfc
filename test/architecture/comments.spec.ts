import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = '{src,test,bench,scripts,clients}/**/*.{ts,mjs}';
/** The files that a generator and a compiler write. */
const WRITTEN_BY_PROGRAMS = 'clients/typescript/{src/generated,dist}/**';
/** The first word of a doc comment, or of a line of a line comment. */
const COMMENT = /^[ \t]*(?:\/\*\*[\s*]*|\/\/ +)([\w']+)/gm;
/** Openings that leave the subject out. */
const FRAGMENT_OPENINGS: ReadonlySet<string> = new Set(['Of', 'What', 'Who', 'Whether', 'As', 'By']);

/** Returns the line number and the opening word of each comment that opens with a fragment. */
function fragmentsIn(text: string): { line: number; word: string }[] {
  return [...text.matchAll(COMMENT)].flatMap(({ 1: word = '', index }) =>
    FRAGMENT_OPENINGS.has(word) ? [{ line: text.slice(0, index).split('\n').length, word }] : [],
  );
}

describe('comments', () => {
  it('open with a verb or a noun', () => {
    const files = globSync(SOURCES, { cwd: ROOT, exclude: [WRITTEN_BY_PROGRAMS] });
    expect(files.length).toBeGreaterThan(500);
    const fragments = files.flatMap((path) =>
      fragmentsIn(readFileSync(`${ROOT}${path}`, 'utf8')).map(({ line, word }) => `${path}:${line} ${word}`),
    );
    expect(fragments).toEqual([]);
  });

  it('are found with a fragment as opening, on one line and on several', () => {
    const one = ['/** Of the row. */', '/** Offers a row. */', '// By then it is over.'];
    const several = ['  /**', '   * Whether it is so.', '   */', '/** Returns what it is. */'];
    expect(fragmentsIn([...one, ...several].join('\n'))).toEqual([
      { line: 1, word: 'Of' },
      { line: 3, word: 'By' },
      { line: 4, word: 'Whether' },
    ]);
  });
});
