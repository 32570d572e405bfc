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

/** The rooms of `platform` that each room may import. Every room may import `common`. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'audit-log': ['crypto', 'database', 'queue'],
  backup: ['database'],
  crypto: ['database', 'metrics'],
  database: ['embedded-postgres', 'logging', 'metrics', 'telemetry'],
  'domain-events': ['telemetry'],
  'embedded-postgres': [],
  'event-sink': ['event-store', 'lifecycle', 'logging', 'metrics', 'redis'],
  'event-store': ['crypto', 'database', 'lifecycle', 'logging', 'metrics'],
  'feature-flags': ['database', 'lifecycle', 'logging'],
  health: ['database', 'http', 'lifecycle', 'metrics'],
  http: ['audit-log', 'database', 'feature-flags', 'lifecycle', 'logging', 'metrics', 'telemetry'],
  'http-client': ['logging', 'metrics', 'redis', 'telemetry'],
  idempotency: ['crypto', 'database', 'event-store', 'http', 'queue'],
  index: ['http'],
  lifecycle: ['logging'],
  logging: [],
  mail: ['metrics', 'telemetry'],
  metrics: ['lifecycle'],
  openapi: ['feature-flags', 'idempotency'],
  queue: ['crypto', 'database', 'logging', 'metrics', 'telemetry'],
  'rate-limit': ['logging', 'metrics', 'redis'],
  redis: [],
  startup: ['database', 'embedded-postgres', 'health', 'lifecycle', 'logging'],
  telemetry: ['logging'],
};
const PLATFORM = 'src/platform/';
/** The verification of the audit log, which anyone can run offline: no framework, no SQL, no other feature. */
const PURE = 'src/modules/audit/proofs/';
const PURE_MAY_IMPORT = /^(?:node:|zod$|src\/common\/|src\/modules\/audit\/proofs\/)/;

/** Returns the pairs of rooms of `platform` between which a file imports another, as `from > to`. */
function edgesOf(imports: readonly Import[]): Set<string> {
  const pairs = imports.map(({ from, to }) => [from, to].map((path) => roomOf(path)));
  const inPlatform = pairs.filter((pair) => pair.every((room) => room?.startsWith(PLATFORM)));
  const names = inPlatform.map((pair) => pair.map((room) => String(room).slice(PLATFORM.length)));
  return new Set(names.filter(([from, to]) => from !== to).map(([from, to]) => `${from} > ${to}`));
}

const allowedEdges = new Set(
  Object.entries(ALLOWED).flatMap(([from, rooms]) => rooms.map((to) => `${from} > ${to}`)),
);

/** Returns the imports in the text of a file that a pure room must not have. */
function impureIn(path: string, text: string): string[] {
  const specifiers = [...text.matchAll(/(?:from |import |import\()'([^']+)'/g)].map(([, name = '']) => name);
  const names = specifiers.map((name) =>
    name.startsWith('.') ? posix.join(posix.dirname(path), name) : name,
  );
  return names.filter((name) => !PURE_MAY_IMPORT.test(name));
}

const platformImports = (): Import[] =>
  globSync('src/platform/**/*.ts', { cwd: ROOT })
    .filter((path) => !path.endsWith('.spec.ts'))
    .flatMap(importsOf);

describe('a room of platform', () => {
  it('imports only the rooms that its rule names, and each of them', () => {
    const edges = edgesOf(platformImports());
    expect([...edges].toSorted()).toEqual([...allowedEdges].toSorted());
  });

  it('has a rule', () => {
    const rooms = globSync('src/platform/*/', { cwd: ROOT }).map((path) => posix.basename(path));
    expect(rooms.toSorted()).toEqual(Object.keys(ALLOWED).toSorted());
  });

  it.each(Object.keys(ALLOWED))('is seen to break its rule: %s', (room) => {
    const forbidden = Object.keys(ALLOWED).filter(
      (other) => other !== room && !ALLOWED[room]?.includes(other),
    );
    const imports = forbidden.map((other) => ({
      from: `${PLATFORM}${room}/a.ts`,
      to: `${PLATFORM}${other}/b.ts`,
    }));
    const edges = [...edgesOf(imports)];
    expect(edges).toHaveLength(forbidden.length);
    expect(edges.filter((edge) => allowedEdges.has(edge))).toEqual([]);
  });
});

describe('the proofs of the audit log', () => {
  it('import no framework, no SQL and no other feature', () => {
    const files = globSync(`${PURE}*.ts`, { cwd: ROOT }).filter((path) => !path.endsWith('.spec.ts'));
    expect(files.length).toBeGreaterThan(5);
    expect(files.flatMap((path) => impureIn(path, readFileSync(`${ROOT}${path}`, 'utf8')))).toEqual([]);
  });

  it('are seen to import what they must not', () => {
    const text = [
      `import { createHash } from 'node:crypto';`,
      `import { Injectable } from '@nestjs/common';`,
      `import { leafHash } from './leaf.js';`,
      `import { SealsRepository } from '../sealing/seals.repository.js';`,
    ].join('\n');
    expect(impureIn(`${PURE}x.ts`, text)).toEqual([
      '@nestjs/common',
      'src/modules/audit/sealing/seals.repository.js',
    ]);
  });
});

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
