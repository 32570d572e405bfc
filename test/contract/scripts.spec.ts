import { existsSync, globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { NODE_FLAGS } from '../../scripts/node-flags.mjs';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };

/** Returns the files that a command line names. For build output it returns the source. */
const filesOf = (command: string): string[] =>
  command
    .split(/\s+/)
    .filter((word) => /^[\w./-]+\.(?:[cm]?js|ts|json)$/.test(word))
    .map((word) => word.replace(/^dist\/(.*)\.js$/, '$1.ts'));

/** Returns the scripts that a text says to run. */
const runIn = (text: string): string[] =>
  [...text.matchAll(/\bnpm (?:run (?:-\S+ )*([\w:-]+)|(start|test)\b)/g)].map(
    ([, run, short]) => run ?? short ?? '',
  );

const missing = (names: readonly string[]): string[] =>
  [...new Set(names)].filter((name) => !(name in scripts));

describe('the scripts of package.json', () => {
  it.each(Object.entries(scripts))('%s names only existing files: %s', (_, command) => {
    expect(filesOf(command).filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });

  it('start the service with the same Node.js flags as the Dockerfile', () => {
    expect(scripts['start']).toContain(` node ${NODE_FLAGS.join(' ')} `);
    const command = ['node', ...NODE_FLAGS].map((word) => `"${word}"`).join(', ');
    expect(read('Dockerfile')).toContain(`CMD [${command}, `);
  });

  it('run only existing scripts', () => {
    expect(missing(runIn(Object.values(scripts).join('\n')))).toEqual([]);
  });

  it.each(['README.md', 'CONTRIBUTING.md', 'migrations/README.md'])(
    'include all that %s says to run',
    (path) => {
      const names = runIn(read(path));
      expect(names).not.toEqual([]);
      expect(missing(names)).toEqual([]);
    },
  );

  it('include all that the pages under docs say to run', () => {
    const pages = globSync('{docs,bench,src,.github}/**/*.md', { cwd: root });
    expect(pages.length).toBeGreaterThan(0);
    expect(missing(pages.flatMap((path) => runIn(read(path))))).toEqual([]);
  });

  it('are recognized in every spelling of a command', () => {
    const files = filesOf('exec node --x=y.js scripts/a.mjs && node dist/src/b.js --config .c.json -- src');
    expect(files).toEqual(['scripts/a.mjs', 'src/b.ts', '.c.json']);
    const names = runIn(
      '`npm ci && npm start` npm run -s no:such -- --x, `npm run other`. `npm run …` npm test',
    );
    expect(names).toEqual(['start', 'no:such', 'other', 'test']);
    expect(missing(names)).toEqual(['no:such', 'other']);
  });
});
