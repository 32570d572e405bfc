import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { poolOf } from '../../../src/platform/database/database.module.js';
import { prepared } from '../../../src/platform/database/driver/statements/prepared.js';
import { UnitOfWork } from '../../../src/platform/database/transactions/unit-of-work.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

describe('the unit of work', () => {
  let app: TestApp;
  let unit: UnitOfWork;
  beforeAll(async () => {
    app = await TestApp.create({ config: { DB_POOL_MAX: 4 } });
    await stopBackgroundWork(app);
    unit = app.nest.get(UnitOfWork);
    await app.database.query('CREATE TABLE notes (id integer PRIMARY KEY, text text NOT NULL)');
    await app.database.share('notes');
  });
  afterEach(async () => {
    const open = await app.database.query(
      `SELECT query FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'gatehouse' AND state <> 'idle'`,
    );
    expect(open).toEqual([]);
    await app.database.query('TRUNCATE notes');
  });
  afterAll(() => app.close());

  const run = (sql: string, values: unknown[] = []) => unit.manager.query<unknown>(sql, values);
  const add = (id: number, text = 'x') => run('INSERT INTO notes VALUES ($1, $2)', [id, text]);
  const ids = async () =>
    (await app.database.query<{ id: number }>('SELECT id FROM notes ORDER BY id')).map(({ id }) => id);

  it('commits all changes', async () => {
    const result = await unit.run(async () => {
      await add(1);
      await add(2);
      expect(await ids()).toEqual([]);
      return 'done';
    });
    expect(result).toBe('done');
    expect(await ids()).toEqual([1, 2]);
  });

  it('rolls back all changes on an error and rethrows it', async () => {
    const error = new Error('no');
    const work = unit.run(async () => {
      await add(1);
      throw error;
    });
    await expect(work).rejects.toBe(error);
    expect(await ids()).toEqual([]);
  });

  it('joins an outer one: both commit or roll back in one transaction', async () => {
    const transaction = 'SELECT pg_current_xact_id()::text AS id';
    await unit.run(async () => {
      const outer = await run(transaction);
      await unit.run(async () => {
        expect(await run(transaction)).toEqual(outer);
        await add(1);
      });
      expect(await ids()).toEqual([]);
    });
    expect(await ids()).toEqual([1]);
    const failing = unit.run(async () => {
      await unit.run(() => add(2));
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await ids()).toEqual([1]);
  });

  it('isolates two concurrent ones', async () => {
    await Promise.all([
      unit.run(() => add(1)),
      expect(unit.run(() => add(2).then(() => Promise.reject(new Error('no'))))).rejects.toThrow('no'),
      unit.run(() => add(3)),
    ]);
    expect(await ids()).toEqual([1, 3]);
  });

  it('runs afterCommit work after the commit, in order, including that of a joined one', async () => {
    const seen: unknown[] = [];
    const look = (name: string) => async () => void seen.push([name, await ids()]);
    await unit.run(async () => {
      unit.afterCommit(look('first'));
      await add(1);
      await unit.run(async () => unit.afterCommit(look('joined')));
      await add(2);
      expect(seen).toEqual([]);
    });
    expect(seen).toEqual([
      ['first', [1, 2]],
      ['joined', [1, 2]],
    ]);
  });

  it('skips afterCommit work after a rollback or a failed commit', async () => {
    const seen: string[] = [];
    const failing = unit.run(async () => {
      unit.afterCommit(() => void seen.push('rolled back'));
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await app.database.query(
      `ALTER TABLE notes ADD CONSTRAINT late UNIQUE (text) DEFERRABLE INITIALLY DEFERRED`,
    );
    try {
      const refusedAtCommit = unit.run(async () => {
        unit.afterCommit(() => void seen.push('refused at commit'));
        await add(1, 'same');
        await add(2, 'same');
      });
      await expect(refusedAtCommit).rejects.toMatchObject({ driverError: { code: '23505' } });
    } finally {
      await app.database.query('ALTER TABLE notes DROP CONSTRAINT late');
    }
    expect(seen).toEqual([]);
    expect(await ids()).toEqual([]);
  });

  it('stays committed when afterCommit work fails, and runs the rest', async () => {
    const seen: string[] = [];
    await unit.run(async () => {
      unit.afterCommit(() => Promise.reject(new Error('mail is down')));
      unit.afterCommit(() => void seen.push('second'));
      await add(1);
    });
    expect(seen).toEqual(['second']);
    expect(await ids()).toEqual([1]);
  });

  it('rejects afterCommit work outside a transaction', () => {
    expect(() => unit.afterCommit(() => {})).toThrow(/outside/);
  });

  it('reruns the whole loser of a deadlock', async () => {
    await app.database.query(`INSERT INTO notes VALUES (1, ''), (2, '')`);
    const tries = { a: 0, b: 0 };
    let holding = 0;
    const seen: string[] = [];
    const append = (name: 'a' | 'b', first: number, second: number) =>
      unit.run(async () => {
        tries[name]++;
        unit.afterCommit(() => void seen.push(name));
        const touch = (id: number) => run('UPDATE notes SET text = text || $2 WHERE id = $1', [id, name]);
        // The rerun could otherwise take its first lock before the winner wakes up, and deadlock again.
        if (tries[name] > 1) await until(() => seen.length === 1);
        await touch(first);
        holding++;
        // Waits until each holds the lock that the other needs. On the rerun this holds at once.
        await until(() => holding >= 2);
        await touch(second);
      });
    await Promise.all([append('a', 1, 2), append('b', 2, 1)]);
    expect(tries.a + tries.b).toBe(3);
    const rows = await app.database.query<{ text: string }>('SELECT text FROM notes ORDER BY id');
    for (const { text } of rows) expect(text.split('').toSorted().join('')).toBe('ab');
    expect(seen.toSorted()).toEqual(['a', 'b']);
  });

  it('reruns the whole loser of a serialization failure', async () => {
    await app.database.query(`INSERT INTO notes VALUES (1, '0')`);
    let tries = 0;
    let reading = 0;
    const increment = () =>
      unit.run(async () => {
        await run('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE');
        tries++;
        const [row] = (await run('SELECT text FROM notes WHERE id = 1')) as [{ text: string }];
        reading++;
        await until(() => reading >= 2);
        await run('UPDATE notes SET text = $1 WHERE id = 1', [String(Number(row.text) + 1)]);
      });
    await Promise.all([increment(), increment()]);
    expect(tries).toBeGreaterThan(2);
    expect(await app.database.query('SELECT text FROM notes')).toEqual([{ text: '2' }]);
  });

  it('gives up after five attempts and reports the reason', async () => {
    let tries = 0;
    const seen: string[] = [];
    const work = unit.run(async () => {
      tries++;
      unit.afterCommit(() => void seen.push('never'));
      await add(tries);
      await run(`DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$`);
    });
    await expect(work).rejects.toMatchObject({ driverError: { code: '40001' } });
    expect({ tries, seen, ids: await ids() }).toEqual({ tries: 5, seen: [], ids: [] });
  });

  it.each(['23505', '40002', '57014', '22P02', 'P0001'])('does not retry after %s', async (code) => {
    let tries = 0;
    const work = unit.run(async () => {
      tries++;
      await run(`DO $$ BEGIN RAISE EXCEPTION 'once' USING ERRCODE = '${code}'; END $$`);
    });
    await expect(work).rejects.toMatchObject({ driverError: { code } });
    expect(tries).toBe(1);
  });

  it('prepares marked statements once per connection, and no others', async () => {
    const marked = prepared('SELECT text FROM notes WHERE id = $1');
    await unit.run(async () => {
      const kept = () =>
        run(`SELECT statement, generic_plans + custom_plans AS runs FROM pg_prepared_statements
             WHERE statement LIKE '%FROM notes%'`);
      await add(1, 'one');
      for (let i = 1; i <= 3; i++) {
        expect(await run(marked, [1])).toEqual([{ text: 'one' }]);
        await run('SELECT id, text FROM notes WHERE id = $1', [1]);
        expect(await kept()).toEqual([{ statement: marked, runs: String(i) }]);
      }
    });
  });

  it('discards a connection whose prepared statement no longer matches the schema', async () => {
    const marked = prepared('SELECT id, text FROM notes WHERE id = $1');
    const kept = () => unit.run(() => run(marked, [1]));
    await add(1, 'one');
    await kept();
    await app.database.query('ALTER TABLE notes ALTER text TYPE varchar(9)');
    await expect(kept()).rejects.toMatchObject({ driverError: { code: '0A000' } });
    expect(await kept()).toEqual([{ id: 1, text: 'one' }]);
  });

  it('leaks no connection, however many fail', async () => {
    const failing = Array.from({ length: 40 }, (_, i) =>
      unit.run(async () => {
        await add(i);
        throw new Error('no');
      }),
    );
    const results = await Promise.allSettled(failing);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(await unit.run(async () => 'still works')).toBe('still works');
  });

  describe('around other units of work', () => {
    const begin = async () => void (await run('SELECT 1'));

    it('lets them join, and runs outside the transaction what must not occupy a connection', async () => {
      const pool = poolOf(app.dataSource);
      const seen: unknown[] = [];
      let begun = 0;
      await unit.runWith(
        async () => void begun++,
        async () => {
          const result = await unit.outside(async () => {
            seen.push(pool.totalCount - pool.idleCount);
            await add(1);
            return 'prepared';
          });
          seen.push(result, await ids(), pool.totalCount - pool.idleCount);
          await unit.run(() => add(2));
          expect(await ids()).toEqual([1]);
        },
      );
      expect(seen).toEqual([0, 'prepared', [1], 1]);
      expect(begun).toBe(2);
      expect(await ids()).toEqual([1, 2]);
    });

    it('keeps the work done beforehand when the rest is rolled back', async () => {
      const work = unit.runWith(begin, async () => {
        await unit.outside(() => add(1));
        await unit.run(() => add(2));
        throw new Error('no');
      });
      await expect(work).rejects.toThrow('no');
      expect(await ids()).toEqual([1]);
    });

    it('rethrows an error of work done beforehand, and can continue', async () => {
      await unit.runWith(begin, async () => {
        const preparation = unit.outside(() => Promise.reject(new Error('not ready')));
        await expect(preparation).rejects.toThrow('not ready');
        await add(1);
      });
      expect(await ids()).toEqual([1]);
    });

    it('rejects work beforehand after the transaction has started', async () => {
      const late = () => unit.outside(async () => {});
      await expect(unit.run(late)).rejects.toThrow(/inside a unit of work/);
      await expect(unit.runWith(begin, () => unit.run(late))).rejects.toThrow(/inside a unit of work/);
      const afterWriting = unit.runWith(begin, async () => {
        await add(1);
        await late();
      });
      await expect(afterWriting).rejects.toThrow(/after something was written/);
      expect(await ids()).toEqual([]);
    });
  });

  it('hands out only connections whose loss does not crash the process', async () => {
    const client = await poolOf(app.nest.get(DataSource)).connect();
    expect(() => client.emit('error', new Error('terminating connection'))).not.toThrow();
    client.release(true);
  });
});
