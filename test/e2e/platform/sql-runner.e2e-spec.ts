import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { poolOf } from '../../../src/platform/database/database.module.js';
import { SqlRunner } from '../../../src/platform/database/sql.runner.js';
import { UnitOfWork } from '../../../src/platform/database/transactions/unit-of-work.js';
import { stopBackgroundWork } from '../../support/app/background-work.js';
import { TestApp } from '../../support/app/test-app.js';

const IDS = 'SELECT id FROM numbers WHERE id > $1 ORDER BY id';

describe('the SQL runner', () => {
  let app: TestApp;
  let sql: SqlRunner;
  beforeAll(async () => {
    app = await TestApp.create();
    // One test looks at the connections in use.
    await stopBackgroundWork(app);
    sql = app.nest.get(SqlRunner);
    await app.database.query('CREATE TABLE numbers (id integer PRIMARY KEY)');
    await app.database.share('numbers');
  });
  afterEach(async () => {
    await app.database.query('TRUNCATE numbers');
  });
  afterAll(() => app.close());

  const fill = () => sql.affected('INSERT INTO numbers SELECT generate_series(1, $1::integer)', [3]);

  it('returns the rows of a SELECT and of RETURNING alike', async () => {
    const rows = [{ id: 1 }, { id: 2 }];
    expect(await sql.rows('INSERT INTO numbers VALUES (1), (2) RETURNING id')).toEqual(rows);
    expect(await sql.rows(IDS, [0])).toEqual(rows);
    expect(await sql.rows('UPDATE numbers SET id = id + 10 RETURNING id')).toEqual([{ id: 11 }, { id: 12 }]);
    expect(await sql.rows('DELETE FROM numbers WHERE id = $1 RETURNING id', [12])).toEqual([{ id: 12 }]);
    expect(await sql.rows('DELETE FROM numbers')).toEqual([]);
  });

  it('returns the first row, and null or an error when there is none', async () => {
    await fill();
    expect(await sql.one(IDS, [1])).toEqual({ id: 2 });
    expect(await sql.maybeOne(IDS, [1])).toEqual({ id: 2 });
    expect(await sql.maybeOne(IDS, [3])).toBeNull();
    await expect(sql.one(IDS, [3])).rejects.toThrow('no row');
    expect(await sql.maybeOne('UPDATE numbers SET id = 9 WHERE id = 3 RETURNING id')).toEqual({ id: 9 });
  });

  it('counts the rows that any kind of statement affected', async () => {
    expect(await fill()).toBe(3);
    expect(await sql.affected('UPDATE numbers SET id = id + 10 WHERE id > $1', [1])).toBe(2);
    expect(
      await sql.affected(
        'WITH one AS (SELECT 12 AS id) DELETE FROM numbers USING one WHERE numbers.id = one.id',
      ),
    ).toBe(1);
    expect(await sql.affected('DELETE FROM numbers WHERE false')).toBe(0);
    expect(await sql.affected('LOCK TABLE numbers IN ACCESS SHARE MODE').catch(() => 'outside')).toBe(
      'outside',
    );
  });

  it('joins the unit of work, and gives its connection back outside one', async () => {
    const unit = app.nest.get(UnitOfWork);
    const failed = unit.run(async () => {
      await fill();
      expect(await sql.rows(IDS, [0])).toHaveLength(3);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await sql.rows(IDS, [0])).toEqual([]);
    await expect(sql.execute('SELECT 1 / 0')).rejects.toThrow('division by zero');
    const pool = poolOf(app.dataSource);
    expect(pool.idleCount).toBe(pool.totalCount);
  });

  it('runs over an entity manager or a data source without Nest', async () => {
    const source = app.nest.get(DataSource);
    expect(await new SqlRunner(source).one('SELECT 1 AS one')).toEqual({ one: 1 });
    const inTransaction = await source.transaction((manager) =>
      new SqlRunner({ manager }).one<{ same: boolean }>('SELECT now() = transaction_timestamp() AS same'),
    );
    expect(inTransaction).toEqual({ same: true });
  });
});
