import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { prepared } from '../../../src/platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../../src/platform/database/sql.runner.js';
import { UnitOfWork } from '../../../src/platform/database/transactions/unit-of-work.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { statementsOf } from '../../support/database/statements.js';
import { TestApp } from '../../support/app/test-app.js';

describe('deferred statements', () => {
  let app: TestApp;
  let unit: UnitOfWork;
  let sql: SqlRunner;
  beforeAll(async () => {
    app = await TestApp.create({ config: { DB_POOL_MAX: 4 } });
    await stopBackgroundWork(app);
    unit = app.nest.get(UnitOfWork);
    sql = app.nest.get(SqlRunner);
    await app.database.query('CREATE TABLE notes (id integer PRIMARY KEY, text text NOT NULL)');
    await app.database.share('notes');
  });
  afterEach(() => app.database.query('TRUNCATE notes'));
  afterAll(() => app.close());

  const run = (statement: string, values: unknown[] = []) => unit.manager.query<unknown>(statement, values);
  const add = (id: number, text = 'x') => run('INSERT INTO notes VALUES ($1, $2)', [id, text]);
  const ids = async () =>
    (await app.database.query<{ id: number }>('SELECT id FROM notes ORDER BY id')).map(({ id }) => id);

  const ADD = 'INSERT INTO notes VALUES ($1, $2)';
  const later = (id: number, text = 'x', translate?: (error: unknown) => Error | null) =>
    sql.defer(ADD, [id, text], translate);
  const trips = (work: () => Promise<unknown>) => statementsOf(() => unit.run(work).catch(() => undefined));

  it('sends them in order, together with the next statement or the COMMIT', async () => {
    const seen: unknown[] = [];
    const cost = await trips(async () => {
      await later(1);
      await later(2);
      seen.push(await run('SELECT id FROM notes ORDER BY id'));
      await later(3);
      await sql.defer('UPDATE notes SET text = $1 WHERE id <= 3', ['changed']);
    });
    expect(seen).toEqual([[{ id: 1 }, { id: 2 }]]);
    expect(cost).toBe(2);
    const rows = await app.database.query('SELECT id, text FROM notes ORDER BY id');
    expect(rows).toEqual([1, 2, 3].map((id) => ({ id, text: 'changed' })));
  });

  it('sends nothing for a unit of work without statements, or that fails before the first is sent', async () => {
    expect(await trips(async () => 'nothing')).toBe(0);
    const failing = async () => {
      await later(1);
      throw new Error('no');
    };
    expect(await trips(failing)).toBe(0);
    expect(await ids()).toEqual([]);
  });

  it('commits nothing when one fails, and throws its error for the next statement or the COMMIT', async () => {
    await add(1);
    const together = unit.run(async () => {
      await later(2);
      await later(1);
      await run('INSERT INTO notes VALUES (3, $1)', ['not reached']);
    });
    await expect(together).rejects.toMatchObject({
      query: ADD,
      parameters: [1, 'x'],
      driverError: { code: '23505' },
    });
    const translated = new Error('taken');
    const atCommit = unit.run(async () => {
      await add(4);
      await later(5);
      await later(1, 'x', () => translated);
      await later(6);
    });
    await expect(atCommit).rejects.toBe(translated);
    await expect(sql.defer(ADD, [1, 'x'], () => translated)).rejects.toBe(translated);
    expect(await ids()).toEqual([1]);
  });

  it('commits nothing when a value cannot be sent, and keeps the connection in order', async () => {
    const endless: Record<string, unknown> = {};
    endless['self'] = endless;
    const work = unit.run(async () => {
      await later(1);
      await sql.defer(ADD, [2, endless]);
      await later(3);
    });
    await expect(work).rejects.toThrow(/circular/);
    expect(await ids()).toEqual([]);
    await Promise.all(Array.from({ length: 8 }, (_, id) => unit.run(() => later(id))));
    expect(await ids()).toHaveLength(8);
  });

  it('reruns the unit of work when a deferred statement loses a race', async () => {
    let tries = 0;
    await unit.run(async () => {
      tries++;
      await later(tries);
      await sql.defer(
        `DO $$ BEGIN IF ${tries} < 3 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF; END $$`,
      );
    });
    expect(tries).toBe(3);
    expect(await ids()).toEqual([3]);
  });

  it('commits together with the only statement of a unit of work', async () => {
    const seen: unknown[] = [];
    const insert = (id: number) =>
      unit.runStatement(() => sql.one('INSERT INTO notes VALUES ($1, $2) RETURNING id', [id, 'x']));
    expect(await statementsOf(async () => seen.push(await insert(1)))).toBe(1);
    await expect(insert(1)).rejects.toMatchObject({ driverError: { code: '23505' } });
    const outer = unit.run(async () => {
      seen.push(await insert(2));
      await add(3);
      throw new Error('no');
    });
    await expect(outer).rejects.toThrow('no');
    seen.push(await insert(4));
    const followed = (next: () => Promise<unknown>) =>
      unit.runStatement(async () => {
        await run('SELECT 1');
        await next();
      });
    await expect(followed(() => add(5))).rejects.toThrow('no statement may follow');
    await expect(followed(() => later(6))).rejects.toThrow('no statement may follow');
    expect(seen).toEqual([1, 2, 4].map((id) => ({ id })));
    expect(await ids()).toEqual([1, 4]);
  });

  it('sends them before too many wait', async () => {
    const many = 300;
    await unit.run(async () => {
      for (let id = 0; id < many; id++) await later(id);
    });
    expect(await ids()).toHaveLength(many);
  });

  it('prepares marked ones once, and again after one of them failed to parse', async () => {
    const broken = prepared('INSERT INTO notes_to_come VALUES ($1)');
    const marked = prepared('INSERT INTO notes VALUES ($1, $2) RETURNING text');
    const attempt = (id: number) =>
      unit.run(async () => {
        await sql.defer(broken, [id]);
        await sql.defer(marked, [id, 'x']);
      });
    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, id) => attempt(id)));
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    await app.database.query('CREATE TABLE notes_to_come (id integer)');
    await app.database.share('notes_to_come');
    await Promise.all(Array.from({ length: 8 }, (_, id) => attempt(id)));
    await Promise.all(Array.from({ length: 8 }, (_, id) => attempt(id + 8)));
    expect(await ids()).toHaveLength(16);
  });

  it('succeeds after the pooled connections have died', async () => {
    await Promise.all(Array.from({ length: 4 }, () => unit.run(() => run('SELECT pg_sleep(0.05)'))));
    await app.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'gatehouse'`,
    );
    let tries = 0;
    await unit.run(async () => {
      tries++;
      await later(1);
      await add(2);
    });
    expect(tries).toBeLessThanOrEqual(2);
    expect(await ids()).toEqual([1, 2]);
  });
});
