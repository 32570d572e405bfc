import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A file's path below `src`, and its text without comments. */
interface Source {
  readonly path: string;
  readonly text: string;
}

const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');

const sources: readonly Source[] = globSync('{modules,platform}/**/*.ts', { cwd: `${ROOT}src` })
  .filter((path) => !path.endsWith('.spec.ts'))
  .map((path) => ({ path, text: withoutComments(readFileSync(`${ROOT}src/${path}`, 'utf8')) }));

/** The room that a file belongs to: `modules/users`, `platform/crypto`. */
const roomOf = (path: string): string => path.split('/', 2).join('/');

/** Each table with the room that owns it: the one with its entity. */
const owners: ReadonlyMap<string, string> = new Map(
  sources.flatMap(({ path, text }) =>
    [...text.matchAll(/@Entity\('(\w+)'\)/g)].map((match) => [match[1] as string, roomOf(path)] as const),
  ),
);

/** A table stands behind one of these words, before WHERE, or is cast to regclass. */
const TABLE =
  /\b(?:FROM|JOIN|INTO|UPDATE|TABLE|USING)\s+(?:public\.)?(\w+)|(?<![.\w])(\w+)\s+WHERE\b|'(?:public\.)?(\w+)'(?:::regclass|\))/g;

function tablesIn(text: string): string[] {
  const named = [...text.matchAll(TABLE)].map(([, after, before, cast]) => after ?? before ?? cast ?? '');
  return [...new Set(named)].filter((name) => owners.has(name));
}

/** Query builder of UsersRepository: it composes the SQL of the list, and the repository runs it. */
const COMPOSES_SQL = /users-page(?:\.query-builder)?\.ts$/;

const mayHoldSql = ({ path }: Source): boolean =>
  path.startsWith('platform/') || path.endsWith('.repository.ts') || COMPOSES_SQL.test(path);

/** Returns each table of another room that the SQL of these files names, as `room: table`. */
function foreignTables(files: readonly Source[]): string[] {
  const found = files.filter(mayHoldSql).flatMap(({ path, text }) =>
    tablesIn(text)
      .filter((table) => owners.get(table) !== roomOf(path))
      .map((table) => `${roomOf(path)}: ${table}`),
  );
  return [...new Set(found)].toSorted();
}

/** The SQL that may name tables of another room, each with its reason. */
const ALLOWED: Readonly<Record<string, string>> = {
  'modules/audit: audit_entries':
    'platform/audit-log writes the audit trail, and this module reads and proves it',
  'modules/auth: role_permissions': 'a principal is read in one statement, with the permissions of its roles',
  'modules/auth: users': 'a sign-in and a principal are each read in one statement, together with the user',
  'modules/export: users': 'an export reads users and their former images as of one moment',
  'modules/roles: users': 'a role may only change if the caller ranks above every user who has it',
  'modules/user-imports: jobs':
    'chunks are deleted once their job is gone, and their rejected rows a day after its end',
  'modules/users: roles':
    'the row of the admin role is the lock for changes that could leave no administrator',
  'platform/backup: history_epochs': 'a restore begins an epoch in any case, before any module runs',
  'platform/audit-log: account_keys':
    'the use of an IP address is stored while its key is locked, so that no erasure misses it',
};

const SQL =
  /['"`]\s*(?:SELECT|WITH|INSERT INTO|UPDATE|DELETE FROM|LOCK TABLE|COPY|EXPLAIN|TRUNCATE)\s|\.query(?:<[^(]*>)?\(|\bsql\.(?:rows|one|maybeOne|affected|execute|defer)\b|new SqlRunner\(/;

/** Returns the paths of files that hold SQL and are neither a repository nor in platform. */
const holdingSql = (files: readonly Source[]): string[] =>
  files.filter((file) => !mayHoldSql(file) && SQL.test(file.text)).map(({ path }) => path);

describe('hand-written SQL', () => {
  it('stands in repositories and in platform only', () => {
    expect(holdingSql(sources)).toEqual([]);
  });

  it.each([
    "this.sql.rows('x')",
    'const FIND = `SELECT 1`;',
    "await this.dataSource.query('x')",
    "const DELETE = 'DELETE FROM users';",
  ])('is found in a service: %s', (text) => {
    expect(holdingSql([{ path: 'modules/users/users.service.ts', text }])).toHaveLength(1);
    expect(holdingSql([{ path: 'modules/users/users.repository.ts', text }])).toEqual([]);
    expect(holdingSql([{ path: 'platform/crypto/keys.ts', text }])).toEqual([]);
  });

  it('names the tables of its own room, and those of another only where the list allows it', () => {
    expect(owners.size).toBeGreaterThan(20);
    expect(foreignTables(sources)).toEqual(Object.keys(ALLOWED).toSorted());
  });

  it.each([
    'SELECT id FROM users WHERE id = $1',
    'DELETE FROM exports USING users',
    "SELECT 'users'::regclass",
    'INSERT INTO users (id) VALUES ($1)',
    'UPDATE users SET name = $1',
    'SELECT 1 FROM public.users u',
    'LOCK TABLE users IN SHARE MODE',
  ])('is seen when it names a table of another room: %s', (sql) => {
    const file = { path: 'modules/export/any.repository.ts', text: `const SQL = \`${sql}\`;` };
    expect(foreignTables([file])).toEqual(['modules/export: users']);
  });
});
