import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { AuditPartitionsService } from '../../../src/platform/audit-log/audit-partitions.service.js';
import { migrate } from '../../../src/platform/database/startup/migrate.js';
import { TestApp } from '../../support/app/test-app.js';

const MONTH = 'audit_entries_2031_05';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const partitions = async () =>
  (
    await app.database.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_entries'::regclass ORDER BY 1`,
    )
  ).map(({ name }) => name);

const shapeOf = (table: string) =>
  app.database.query<{ what: string }>(
    `SELECT tgname || ' ' || tgenabled::text AS what FROM pg_trigger WHERE tgrelid = $1::text::regclass
     UNION ALL
     SELECT regexp_replace(indexdef, '^.* USING ', '') FROM pg_indexes WHERE tablename = $1
     UNION ALL
     SELECT attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' ' ||
            coalesce(pg_get_expr(adbin, adrelid), '')
     FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
     WHERE attrelid = $1::text::regclass AND attnum > 0
     ORDER BY 1`,
    [table],
  );

describe('the monthly partitions of the audit log', () => {
  it('exist for this month and the next two, and each start creates missing ones', async () => {
    const before = await partitions();
    expect(before).toHaveLength(3);
    const last = before.at(-1) ?? '';
    await app.database.query(`DROP TABLE ${last}`);
    await Promise.all([app, app].map(({ nest }) => nest.get(AuditPartitionsService).createPartitions()));
    expect(await partitions()).toEqual(before);
  });

  it('are alike in triggers, indexes and columns', async () => {
    await app.dataSource.query(`SELECT make_audit_partition('2031-05-17')`);
    const [first = ''] = await partitions();
    expect(await partitions()).toContain(MONTH);
    expect(await shapeOf(MONTH)).toEqual(await shapeOf(first));
    expect((await shapeOf(MONTH)).map(({ what }) => what)).toEqual(
      expect.arrayContaining(['refuse_change A', 'refuse_truncate A']),
    );
  });

  it('are created without blocking a writer', async () => {
    const writer = new pg.Client({ connectionString: app.database.url });
    await writer.connect();
    try {
      await writer.query('BEGIN');
      const entry = `INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome)
                     VALUES (gen_random_uuid(), clock_timestamp(), 'system', 'key.rotate', 'success')`;
      await writer.query(entry);
      await app.dataSource.query(`SELECT make_audit_partition('2031-06-01')`);
      await writer.query(entry);
      await writer.query('COMMIT');
    } finally {
      await writer.end();
    }
    expect(await partitions()).toContain('audit_entries_2031_06');
  });

  it('are all guarded, or the start fails', async () => {
    const start = () => migrate({ DATABASE_URL: app.database.url });
    await expect(start()).resolves.toEqual([]);
    for (const [off, on] of [
      [
        `ALTER TABLE ${MONTH} DISABLE TRIGGER refuse_change`,
        `ALTER TABLE ${MONTH} ENABLE ALWAYS TRIGGER refuse_change`,
      ],
      [
        `ALTER TABLE ${MONTH} ENABLE TRIGGER refuse_truncate`,
        `ALTER TABLE ${MONTH} ENABLE ALWAYS TRIGGER refuse_truncate`,
      ],
      [`DROP TRIGGER refuse_truncate ON ${MONTH}`, `SELECT make_append_only('${MONTH}')`],
    ] as const) {
      await app.database.query(off);
      await expect(start()).rejects.toThrow(`triggers are missing or disabled on ${MONTH}`);
      await app.database.query(on);
    }
    await expect(start()).resolves.toEqual([]);
  });

  it('cannot be accessed directly by the service role', async () => {
    await expect(app.dataSource.query(`SELECT 1 FROM ${MONTH}`)).rejects.toThrow('permission denied');
    await expect(app.dataSource.query(`DROP TABLE ${MONTH}`)).rejects.toThrow('must be owner');
  });
});
