import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAX_README_LINES = 130;
/** Folders without documents of the project. */
const NOT_OURS = /^(?:node_modules|dist[^/]*|\.data|coverage)(?:\/|$)/;
const INDEX = 'docs/README.md';

const documents = globSync('{*,.github/**/*,*/**/*}.md', {
  cwd: ROOT,
  exclude: (path) => NOT_OURS.test(path),
})
  .filter((path) => !NOT_OURS.test(path))
  .toSorted();
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Removes the parts that Markdown shows verbatim: fenced blocks, code spans and comments. */
const withoutCode = (text: string): string =>
  text
    .replaceAll(/^(```|~~~)[\s\S]*?^\1.*$/gm, '')
    .replaceAll(/<!--[\s\S]*?-->/g, '')
    .replaceAll(/(`+)[\s\S]*?\1/g, '');

/**
 * Returns the targets of `[text](target)`, `![alt](target)`, `[label]: target`, `src="target"` and
 * `href="target"`.
 */
function targetsIn(text: string): string[] {
  const shown = withoutCode(text);
  const inline = [...shown.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
  const labelled = [...shown.matchAll(/^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm)];
  const inHtml = [...shown.matchAll(/\b(?:src|href)="([^"]+)"/g)];
  return [...inline, ...labelled, ...inHtml].map(([, target = '']) => target);
}

/**
 * Returns the anchors that GitHub gives the headings of a document. The second of two equal headings ends in
 * `-1`.
 */
function anchorsIn(text: string): Set<string> {
  const anchors = new Set<string>();
  const headings = text.replaceAll(/^(```|~~~)[\s\S]*?^\1.*$/gm, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm);
  for (const [, heading = ''] of headings) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, '');
    const slug = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

const isElsewhere = (target: string): boolean => /^[a-z][a-z\d+.-]*:/i.test(target);

/** Returns the document or folder that a relative link leads to, from the root. */
const pathOf = (document: string, target: string): string => {
  const [path = ''] = target.split('#', 1);
  return path === '' ? document : normalize(join(dirname(document), decodeURIComponent(path)));
};

/** Returns the errors in the relative links of a document. */
function faultsOf(document: string, text: string): string[] {
  return targetsIn(text)
    .filter((target) => !isElsewhere(target))
    .flatMap((target) => {
      const path = pathOf(document, target);
      const says = `${document}: ${target}`;
      if (relative(ROOT, join(ROOT, path)).startsWith('..')) return [`${says} leaves the repository`];
      if (!existsSync(join(ROOT, path))) return [`${says} does not exist`];
      const anchor = target.split('#')[1];
      if (anchor === undefined) return [];
      if (!path.endsWith('.md')) return [`${says} has an anchor, but is no Markdown`];
      const there = path === document ? text : read(path);
      return anchorsIn(there).has(anchor) ? [] : [`${says} names no heading`];
    });
}

describe('the documents', () => {
  it('link only to files and headings that exist', () => {
    expect(documents.length).toBeGreaterThan(0);
    expect(documents.flatMap((path) => faultsOf(path, read(path)))).toEqual([]);
  });

  it('are checked for every kind of link, except in code', () => {
    const text = [
      '# Here',
      '## Two `words`, *and* more',
      '## Here',
      '[ok](README.md) [ok](#here) [ok](#here-1) [ok](#two-words-and-more) [ok](https://example.com/x)',
      '[gone](docs/none.md) ![gone](docs/none.png "title") <img src="docs/none.svg"> [no](#nowhere)',
      '[no](CONTRIBUTING.md#nowhere) [out](../x.md) [folder](docs)',
      '[gone]: docs/none.txt',
      '`[code](none.md)`',
      '```',
      '[code](none.md)',
      '# Not a heading',
      '```',
      '[no](#not-a-heading)',
    ].join('\n');
    expect(faultsOf('README.md', text)).toEqual([
      'README.md: docs/none.md does not exist',
      'README.md: docs/none.png does not exist',
      'README.md: #nowhere names no heading',
      'README.md: CONTRIBUTING.md#nowhere names no heading',
      'README.md: ../x.md leaves the repository',
      'README.md: #not-a-heading names no heading',
      'README.md: docs/none.txt does not exist',
      'README.md: docs/none.svg does not exist',
    ]);
  });

  it('under docs are all reachable from its index', () => {
    const reached = new Set([INDEX]);
    for (const document of reached) {
      for (const target of targetsIn(read(document)).filter((each) => !isElsewhere(each))) {
        const path = pathOf(document, target);
        const page = existsSync(join(ROOT, path)) && statSync(join(ROOT, path)).isDirectory();
        const next = page ? join(path, 'README.md') : path;
        if (next.startsWith('docs/') && next.endsWith('.md')) reached.add(next);
      }
    }
    expect(documents.filter((path) => path.startsWith('docs/') && !reached.has(path))).toEqual([]);
  });

  it('contain decisions numbered without gaps, each with its four parts', () => {
    const decisions = documents.filter((path) => /^docs\/decisions\/\d/.test(path));
    expect(decisions.length).toBeGreaterThan(0);
    const numbers = decisions.map((path) => Number(/(\d{4})-[a-z\d-]+\.md$/.exec(path)?.[1]));
    expect(numbers).toEqual(decisions.map((_, index) => index + 1));
    const parts = ['## Context', '## Decision', '## Alternatives', '## Consequences'];
    const headings = (path: string) => read(path).match(/^## .+$/gm);
    expect(decisions.filter((path) => headings(path)?.join() !== parts.join())).toEqual([]);
  });

  it(`start with a README of at most ${MAX_README_LINES} lines`, () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(MAX_README_LINES);
  });
});
