import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { verify } from 'argon2';
import { version as versionOf } from 'uuid';
import { canonicalEmail } from '../../../src/common/email-address.js';
import { foldSearch } from '../../../src/common/text.js';
import { userSortKeys } from '../../../src/modules/users/listing/user-sort-keys.js';
import { RESTORABLE_DAYS } from '../../../src/modules/users/user-rules.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { MASTER_KEY } from '../../support/app/secrets.js';

const run = promisify(execFile);

interface Row {
  id: string;
  email: string;
  email_key: string;
  name: string;
  name_key: string;
  search_key: string;
  password_hash: string;
  status: string;
  roles: string[];
  created_at: Date;
  deleted_at: Date | null;
}

describe('npm run seed', () => {
  let database: TestDatabase;
  let rows: Row[];
  let said: string;
  beforeAll(async () => {
    database = await TestDatabase.create();
    said = (await seed('11000')).stderr;
    await seed('500');
    rows = await database.query<Row>('SELECT * FROM users ORDER BY id');
  });
  afterAll(() => database.drop());

  const seed = (users: string, environment: Record<string, string> = {}) =>
    run(process.execPath, ['scripts/seed.mjs', '--accounts', users], {
      env: { PATH: process.env['PATH'], ...database.addresses, ...environment },
    });

  it('adds the requested number of users to those of an earlier run', () => {
    expect(rows).toHaveLength(11_500);
  });

  it.each(['fe-1795752526748@example.com', 'a.b1795752526748@example.com', 'a.b9999999999@example.com'])(
    'adds users to a database that holds %s',
    async (email) => {
      const other = await TestDatabase.create();
      try {
        await other.query(
          `INSERT INTO users (id, email, email_key, name, name_key, search_key, roles)
           VALUES (gen_random_uuid(), $1, $1, 'Other', 'other', $1, '{user}')`,
          [email],
        );
        const { stderr } = await seed('20', other.addresses);
        expect(stderr).toContain('added 20 users');
        expect(await other.query('SELECT FROM users')).toHaveLength(21);
      } finally {
        await other.drop();
      }
    },
  );

  it('writes the derived columns exactly as the service would', () => {
    const derived = rows.map(({ email_key, name_key, search_key }) => ({ email_key, name_key, search_key }));
    const expected = rows.map(({ name, email }) => {
      const { nameKey, searchKey } = userSortKeys(name, email);
      // PostgreSQL appends the search form when it differs.
      const form = foldSearch(searchKey);
      const wholeKey = form === searchKey ? searchKey : `${searchKey}\n${form}`;
      return { email_key: canonicalEmail(email), name_key: nameKey, search_key: wholeKey };
    });
    expect(derived).toEqual(expected);
  });

  it('generates version 7 ids that contain the creation time and sort by it', () => {
    const times = rows.map(({ id }) => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16));
    expect(rows.every(({ id }) => versionOf(id) === 7)).toBe(true);
    expect(times).toEqual(rows.map(({ created_at }) => created_at.getTime()));
  });

  it('creates users of every status and of every shipped role but admin', () => {
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['active', 'disabled', 'deleted']));
    expect(new Set(rows.flatMap(({ roles }) => roles))).toEqual(new Set(['user', 'premium', 'auditor']));
  });

  it('creates deleted users that can still be restored, so that a running service erases none', () => {
    const deleted = rows.flatMap(({ deleted_at }) => (deleted_at ? [deleted_at.getTime()] : []));
    expect(deleted).not.toEqual([]);
    expect(Math.min(...deleted)).toBeGreaterThan(Date.now() - RESTORABLE_DAYS * 86_400_000);
  });

  it('prints the one password of all users', async () => {
    const password = /password of each is "(.+)"/.exec(said)?.[1] ?? '';
    expect(await verify(rows[0]?.password_hash ?? '', password)).toBe(true);
  });

  it.each(['0', '-1', '1e3', '100000001', ''])('refuses --accounts "%s"', async (users) => {
    await expect(seed(users)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('usage:'),
    });
  });

  it('refuses to create users with a known password in production', async () => {
    const environment = {
      NODE_ENV: 'production',
      MASTER_KEY,
      METRICS_TOKEN: 'a token for the metrics',
    };
    await expect(seed('1', environment)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('must not be added in production'),
    });
  });
});
