import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { linesOf, OpenExport } from '../../support/builders/exports.js';
import { addRows } from '../../support/builders/export-rows.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { PASSWORD, TestApp } from '../../support/app/test-app.js';
import type { UserBody } from '../../support/builders/users.js';

const ROWS = 120;
const RUNS = 4;
const PATH = '/api/export/users?format=ndjson';
const ACTS = ['change', 'disable', 'delete', 'restore', 'erase', 'create'] as const;

interface Act {
  readonly act: (typeof ACTS)[number];
  readonly at: number;
}

/** The number of users to act on, so small that much happens to each of them throughout the export. */
const ACTED_ON = 30;
const targetOf = ({ at }: Act, ids: readonly string[]): string => ids[(at * 4) % ids.length]!;

let apps: TestApp[];
let created = 0;
beforeAll(async () => {
  const here = await TestApp.create();
  apps = [here, await TestApp.create({ database: here.database })];
  await addRows(here.database, ROWS);
});
afterAll(async () => {
  for (const app of apps.toReversed()) await app.close();
});

/** An open transaction that serves as the oracle, because PostgreSQL itself shows the same moment. */
class Oracle {
  private constructor(private readonly client: pg.Client) {}

  static async begin(url: string): Promise<Oracle> {
    const client = new pg.Client({ connectionString: url });
    // A failing test drops the database while this connection is open.
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    // The first statement takes the snapshot.
    await client.query('SELECT 1');
    return new Oracle(client);
  }

  async end(): Promise<UserBody[]> {
    const { rows } = await this.client.query<UserBody>(
      `SELECT id, email, name, locale, status, roles, email_verified, version, last_login_at, created_at, updated_at
       FROM users WHERE status <> 'deleted' ORDER BY id`,
    );
    await this.client.query('ROLLBACK');
    await this.client.end();
    return rows.map((row) => JSON.parse(JSON.stringify(row)) as UserBody);
  }
}

/** Performs the act if the user's state allows it. @returns true if it was performed */
async function perform(todo: Act, ids: readonly string[]): Promise<boolean> {
  const { act, at } = todo;
  const app = apps[at % apps.length]!;
  const id = targetOf(todo, ids);
  const ask = (method: 'patch' | 'delete' | 'post', rest = '', body?: object) =>
    app.as(app.admin, method, `/api/users/${id}${rest}`).send(body);
  const asked = {
    change: () => ask('patch', '', { name: `Changed ${at}` }),
    disable: () => ask('patch', '', { status: at % 2 === 0 ? 'disabled' : 'active' }),
    delete: () => ask('delete'),
    restore: () => ask('post', '/restore'),
    erase: () => ask('post', '/erase'),
    create: () =>
      app
        .request('post', '/api/users')
        .send({ email: `new-${++created}@oracle.example`, name: 'New', password: PASSWORD }),
  };
  const { status } = await asked[act]();
  if (status >= 500) throw new Error(`${act} answered ${status}`);
  return status < 300;
}

const acts = fc.array(fc.record({ act: fc.constantFrom(...ACTS), at: fc.nat(ACTED_ON - 1) }), {
  minLength: 8,
  maxLength: 16,
});
/** The acts during each connection, and the number of rows after which it breaks. */
const connections = fc.array(fc.record({ acts, rows: fc.integer({ min: 1, max: 40 }) }), {
  minLength: 2,
  maxLength: 4,
});

it('sends what a REPEATABLE READ transaction sees, whatever happens to users and connections', async () => {
  await fc.assert(
    fc.asyncProperty(connections, async (parts) => {
      const [{ database, admin, url }] = apps as [TestApp];
      const known = await database.query<{ id: string }>('SELECT id FROM users WHERE id <> $1 ORDER BY id', [
        admin.id,
      ]);
      const ids = known.map(({ id }) => id);
      const erased = new Set<string>();
      // Written before the snapshot and committed after it.
      const pending = await HeldLock.take(
        database.url,
        `UPDATE users SET name = 'Pending', version = version + 1 WHERE id = ANY ($1)`,
        [ids.filter((_, i) => i % 10 === 0)],
      );
      const oracle = await Oracle.begin(database.url);
      const begun = await OpenExport.begin({ url, user: admin, path: PATH });
      begun.request.destroy();
      const cursor = String(begun.response.headers['x-export-cursor']);
      await pending.query('COMMIT');
      await pending.release();
      const joined: string[] = [];
      const read = async (connection: number, rows: number) => {
        const path = `${PATH}&after=${cursor}&received=${joined.length}`;
        const open = await OpenExport.begin({ url: apps[connection % 2]!.url, user: admin, path });
        expect(open.response.statusCode).toBe(200);
        const { text } = await open.read((so) => so.split('\n').length > rows);
        const part = linesOf(text);
        joined.push(...part.rows.slice(0, rows));
        return part.complete;
      };
      for (const [i, part] of parts.entries()) {
        const doing = part.acts.map(async (each) => {
          const done = await perform(each, ids);
          if (done && each.act === 'erase') erased.add(targetOf(each, ids));
        });
        await Promise.all([read(i, part.rows), ...doing]);
      }
      const complete = await read(parts.length, Infinity);
      const expected = await oracle.end();
      expect(complete?.count).toBe(joined.length);
      const rows = joined.map((line) => JSON.parse(line) as UserBody);
      // The export sends no personal data of users who are erased during it.
      const named = new Map(rows.map((row) => [row.id, row.name]));
      const isBlank = ({ id }: UserBody) => erased.has(id) && named.get(id) === '';
      expect(rows).toEqual(expected.map((row) => (isBlank(row) ? { ...row, email: '', name: '' } : row)));
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
});
