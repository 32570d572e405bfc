import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Import {
  readonly from: string;
  readonly to: string;
}

/** Returns the folder of `platform` or `common` that holds the file; null for a file elsewhere. */
function roomOf(path: string): string | null {
  const room = /^src\/(?:platform|common)\/[^/]+(?=\/)/.exec(path)?.[0];
  return room ?? (path.startsWith('src/common/') ? 'src/common' : null);
}

function importsOf(from: string): Import[] {
  const text = readFileSync(`${ROOT}${from}`, 'utf8');
  return [...text.matchAll(/(?:from |import |import\()'(\.[^']*)\.js'/g)].map(([, path = '']) => ({
    from,
    to: `${posix.join(posix.dirname(from), path)}.ts`,
  }));
}

/** Returns the imports between rooms that lie on a cycle of rooms. */
function cyclicAmong(imports: readonly Import[]): Import[] {
  const between = imports.flatMap((each) => {
    const [from, to] = [roomOf(each.from), roomOf(each.to)];
    return from !== null && to !== null && from !== to ? [{ from, to, each }] : [];
  });
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean => {
    if (from === to) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return between.some((edge) => edge.from === from && reaches(edge.to, to, seen));
  };
  return between.filter(({ from, to }) => reaches(to, from)).map(({ each }) => each);
}

describe('the folders of platform and common', () => {
  it('form no cycle', () => {
    const files = globSync('src/{platform,common}/**/*.ts', { cwd: ROOT });
    const imports = files.filter((path) => !path.endsWith('.spec.ts')).flatMap(importsOf);
    expect(imports.length).toBeGreaterThan(files.length);
    expect(cyclicAmong(imports)).toEqual([]);
  });

  it('are seen to form a cycle over several rooms', () => {
    const imports = [
      { from: 'src/platform/mail/a.ts', to: 'src/platform/http/b.ts' },
      { from: 'src/platform/http/c.ts', to: 'src/platform/metrics/d.ts' },
      { from: 'src/platform/metrics/e.ts', to: 'src/platform/mail/f.ts' },
      { from: 'src/platform/http/g.ts', to: 'src/common/ids.ts' },
    ];
    expect(cyclicAmong(imports)).toEqual(imports.slice(0, 3));
  });
});
