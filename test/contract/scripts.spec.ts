import { existsSync, globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { NODE_FLAGS } from '../../scripts/node-flags.mjs';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };

/** The files that a command line names. What the build makes is there when its source is. */
const filesOf = (command: string): string[] =>
  command
    .split(/\s+/)
    .filter((word) => /^[\w./-]+\.(?:[cm]?js|ts|json)$/.test(word))
    .map((word) => word.replace(/^dist\/(.*)\.js$/, '$1.ts'));

/** The scripts that a text tells to run. */
const runIn = (text: string): string[] =>
  [...text.matchAll(/\bnpm (?:run (?:-\S+ )*([\w:-]+)|(start|test)\b)/g)].map(
    ([, run, short]) => run ?? short ?? '',
  );

const missing = (names: readonly string[]): string[] =>
  [...new Set(names)].filter((name) => !(name in scripts));

describe('the scripts of package.json', () => {
  it.each(Object.entries(scripts))('%s names only files that there are: %s', (_, command) => {
    expect(filesOf(command).filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });

  it('start the service with the flags of Node that the Dockerfile gives it too', () => {
    expect(scripts['start']).toContain(` node ${NODE_FLAGS.join(' ')} `);
    const command = ['node', ...NODE_FLAGS].map((word) => `"${word}"`).join(', ');
    expect(read('Dockerfile')).toContain(`CMD [${command}, `);
  });

  it('run only each other', () => {
    expect(missing(runIn(Object.values(scripts).join('\n')))).toEqual([]);
  });

  it.each(['README.md', 'CONTRIBUTING.md', 'migrations/README.md'])('are all that %s says to run', (path) => {
    const names = runIn(read(path));
    expect(names).not.toEqual([]);
    expect(missing(names)).toEqual([]);
  });

  it('are all that the pages under docs say to run', () => {
    const pages = globSync('{docs,bench,src,.github}/**/*.md', { cwd: root });
    expect(pages.length).toBeGreaterThan(0);
    expect(missing(pages.flatMap((path) => runIn(read(path))))).toEqual([]);
  });

  it('are told apart from what is none, in every spelling of a command', () => {
    const files = filesOf('exec node --x=y.js scripts/a.mjs && node dist/src/b.js --config .c.json -- src');
    expect(files).toEqual(['scripts/a.mjs', 'src/b.ts', '.c.json']);
    const names = runIn(
      '`npm ci && npm start` npm run -s no:such -- --x, `npm run other`. `npm run …` npm test',
    );
    expect(names).toEqual(['start', 'no:such', 'other', 'test']);
    expect(missing(names)).toEqual(['no:such', 'other']);
  });
});
