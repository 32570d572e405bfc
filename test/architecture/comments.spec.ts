import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = '{src,test,bench,scripts}/**/*.{ts,mjs}';
const DOC_COMMENT = /^[ \t]*\/\*\*[\s*]*([\w']+)/gm;
/** An IDE shows a doc comment without its surroundings, where such an opening leaves the subject out. */
const FRAGMENT_OPENINGS: ReadonlySet<string> = new Set(['Of', 'What', 'Who', 'Whether', 'As', 'By']);

/** Returns the number and the opening word of each line that opens a doc comment with a fragment. */
function fragmentsIn(text: string): { line: number; word: string }[] {
  return [...text.matchAll(DOC_COMMENT)].flatMap(({ 1: word = '', index }) =>
    FRAGMENT_OPENINGS.has(word) ? [{ line: text.slice(0, index).split('\n').length, word }] : [],
  );
}

describe('doc comments', () => {
  it('open with a verb or a noun', () => {
    const files = globSync(SOURCES, { cwd: ROOT });
    expect(files.length).toBeGreaterThan(500);
    const fragments = files.flatMap((path) =>
      fragmentsIn(readFileSync(`${ROOT}${path}`, 'utf8')).map(({ line, word }) => `${path}:${line} ${word}`),
    );
    expect(fragments).toEqual([]);
  });

  it('are found with a fragment as opening, on one line and on several', () => {
    const one = ['/** Of the row. */', '/** Offers a row. */', '// Of the row.'];
    const several = ['  /**', '   * Whether it is so.', '   */', '/** Returns what it is. */'];
    expect(fragmentsIn([...one, ...several].join('\n'))).toEqual([
      { line: 1, word: 'Of' },
      { line: 4, word: 'Whether' },
    ]);
  });
});
