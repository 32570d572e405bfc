import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Permission } from '../../../src/common/authorization/permissions.js';
import { AuditKeysService } from '../../../src/modules/audit/sealing/audit-keys.service.js';
import { AuditRetentionService } from '../../../src/modules/audit/retention/audit-retention.service.js';
import { formatLeaves, signRetention } from '../../../src/modules/audit/proofs/retention-statement.js';
import { RetentionsRepository } from '../../../src/modules/audit/retention/retentions.repository.js';
import { AuditSource } from '../../../src/modules/export/sources/audit.source.js';
import { START_OFFSET } from '../../../src/modules/export/export-cursor.service.js';
import { TaskWorker } from '../../../src/platform/queue/task.worker.js';
import { SEAL_LOCK, sealed, writeEntries } from '../../support/builders/audit.js';
import { expectEnvelope } from '../../support/http/envelope.js';
import { runExport } from '../../support/builders/exports.js';
import { HeldLock } from '../../support/database/held-lock.js';
import type { SealBody } from '../../support/builders/seal-client.js';
import { Tampering } from '../../support/database/tampering.js';
import { TestApp } from '../../support/app/test-app.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { NOBODY } from '../../support/builders/users.js';
import { verifyAuditLogFile, exportAuditLog } from '../../support/builders/audit-log-commands.js';

const KEPT_MONTHS = 12;
const EXPORT = '/api/export/audit?format=ndjson';
const ALL = ['2020_01', '2020_02', '2020_03', '2020_04'];

let own: TestDatabase;
let app: TestApp;
/** Creates entries of January 2020, of the two months in one seal, and of the following months. */
let january: string[];
let mixed: string[];
let february: string[];
let march: string[];
let april: string | undefined;

beforeAll(async () => {
  own = await TestDatabase.create();
  app = await TestApp.create({ database: own, config: { AUDIT_RETENTION_MONTHS: KEPT_MONTHS } });
  // Only the tests trigger a run.
  await app.nest.get(TaskWorker).onModuleDestroy();
  for (const month of ['2020-01-01', '2020-02-01', '2020-03-01', '2020-04-01']) {
    await own.query('SELECT make_audit_partition($1)', [month]);
  }
  january = await writeAt('2020-01-10', '2020-01-11', '2020-01-12');
  [april, ...mixed] = await writeAt(
    '2020-04-01',
    '2020-01-31',
    '2020-02-01',
    '2020-01-31',
    '2020-02-01',
    '2020-01-31',
  );
  february = await writeAt('2020-02-10', '2020-02-11');
  march = await writeAt('2020-03-10', '2020-03-11');
  await own.query(
    `INSERT INTO audit_ip_users (ip, month, user_id, digest)
     SELECT '\\x01', month::date, $1, '\\x02' FROM unnest($2::text[]) AS month`,
    [NOBODY, ['2020-01-01', '2020-02-01', '2020-03-01']],
  );
});
afterAll(async () => {
  await app.close();
  await own.drop();
});

/** Creates an entry on each of these days, all in one seal. @returns their ids */
async function writeAt(...days: string[]): Promise<string[]> {
  const rows = await own.query<{ id: string }>(
    `INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome)
     SELECT gen_random_uuid(), day::timestamptz, 'system', 'key.rotate', 'success'
     FROM unnest($1::text[]) WITH ORDINALITY AS days (day, place) ORDER BY place RETURNING id`,
    [days.map((day) => `${day}T12:00:00Z`)],
  );
  const ids = rows.map(({ id }) => id);
  await sealed(app, ids);
  return ids;
}

const run = () => app.nest.get(AuditRetentionService).dropExpiredMonths();
const get = (path: string) => app.as(app.admin, 'get', `/api/audit/${path}`);
const verify = async (body: object = {}) =>
  (await app.as(app.admin, 'post', '/api/audit/verify').send(body).expect(200)).body as {
    valid: boolean;
    entries: number;
    dropped: number;
    first_fault?: { kind: string; seal?: number; message: string };
  };
const months = async () =>
  (
    await own.query<{ name: string }>(
      `SELECT right(inhrelid::regclass::text, 7) AS name FROM pg_inherits
       WHERE inhparent = 'audit_entries'::regclass ORDER BY 1`,
    )
  )
    .map(({ name }) => name)
    .filter((name) => name.startsWith('2020'));
const announcements = () =>
  own.query<{ id: string; target_id: string }>(
    `SELECT id, target_id FROM audit_entries WHERE action = 'audit.retention' ORDER BY target_id`,
  );
const drop = (month: string, kept = KEPT_MONTHS) =>
  app.dataSource.query('SELECT drop_audit_month($1, $2)', [month, kept]);

/** Expects that an export from before the drop of a month cannot resume and sends no rows. */
async function expectNotWhole(cursor: string): Promise<void> {
  for (const rest of ['', '&received=1']) {
    const path = `${EXPORT}&after=${cursor}${rest}`;
    expectEnvelope(await runExport({ url: app.url, user: app.admin, path }), 'CONFLICT');
  }
  // Like an export that is in progress.
  const moment = { epoch: 1, snapshot: '1:1:', monthsDropped: 0 };
  const selection = { moment, filters: {}, fields: ['id'], encoding: 'csv' } as const;
  const reader = { userId: app.admin.id, sessionId: NOBODY, roles: [], permissions: new Set<Permission>() };
  const source = app.nest.get(AuditSource).select(selection, reader);
  await expect(source.read(START_OFFSET.id, 1)).rejects.toMatchObject({ code: 'CONFLICT' });
  const anew = await runExport({ url: app.url, user: app.admin, path: EXPORT });
  const path = `${EXPORT}&after=${String(anew.headers['x-export-cursor'])}`;
  expect((await runExport({ url: app.url, user: app.admin, path })).text).toBe(anew.text);
}

describe('a month past its retention', () => {
  it('is kept forever without a configured retention', async () => {
    const other = await TestApp.create({ database: own });
    try {
      await other.nest.get(AuditRetentionService).dropExpiredMonths();
    } finally {
      await other.close();
    }
    expect(await announcements()).toEqual([]);
  });

  it('is not dropped by the owner without an announcement, nor within its retention', async () => {
    await expect(drop('2020-01')).rejects.toThrow('nothing announces that 2020-01 is dropped');
    const [{ month } = { month: '' }] = await own.query<{ month: string }>(
      `SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS month`,
    );
    await expect(drop(month, 1)).rejects.toThrow('is still to be kept');
    await expect(drop('2020-01', 0)).rejects.toThrow('is still to be kept');
  });

  it('is announced by an audit entry and kept until that entry is sealed', async () => {
    const unsealed = await HeldLock.take(own.url, 'SELECT pg_advisory_xact_lock($1)', [SEAL_LOCK]);
    try {
      await run();
      await expect(drop('2020-01')).rejects.toThrow('is not sealed yet');
      await run();
    } finally {
      await unsealed.release();
    }
    expect(await months()).toEqual(ALL);
    const told = await announcements();
    expect(told.map(({ target_id }) => target_id.split(':')[0])).toEqual(['2020-01', '2020-02', '2020-03']);
    const { body } = await get(told[0]?.id ?? '').expect(200);
    expect(body).toMatchObject({
      action: 'audit.retention',
      actor: { type: 'system' },
      target: { type: 'audit_month' },
      changes: { entries: { from: 6, to: 0 } },
    });
    await sealed(
      app,
      told.map(({ id }) => id),
    );
    expect(await verify()).toMatchObject({ valid: true, dropped: 0 });
  });

  it('is not dropped if it differs from the announced month', async () => {
    const [more] = await own.query<{ id: string }>(
      `INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome)
       VALUES (gen_random_uuid(), '2020-03-20', 'system', 'key.rotate', 'success') RETURNING id`,
    );
    await expect(drop('2020-03')).rejects.toThrow('2 entries of 2020-03 were announced, and 3 are there');
    await sealed(app, [more?.id ?? '']);
  });

  it('waits without blocking writers while a transaction reads the audit log', async () => {
    const reader = await HeldLock.take(own.url, 'SELECT 1 FROM audit_entries LIMIT 1');
    try {
      await run();
      expect(await months()).toEqual(ALL);
      await writeEntries(own);
    } finally {
      await reader.release();
    }
  });

  it('is dropped, and the audit log still proves the rest and all its seals', async () => {
    const { entries } = await verify();
    const exported = await runExport({ url: app.url, user: app.admin, path: EXPORT });
    await run();
    expect(await months()).toEqual(['2020_03', '2020_04']);
    await expectNotWhole(String(exported.headers['x-export-cursor']));
    const verdict = await verify();
    expect(verdict).toMatchObject({ valid: true, dropped: 10 });
    expect(verdict.entries).toBeGreaterThanOrEqual(entries - 10);
    for (const id of [...january, ...mixed, ...february]) {
      expect((await get(`${id}/proof`)).status).toBe(404);
      expect((await get(id)).status).toBe(404);
    }
    await get(`${march[0]}/proof`).expect(200);
    expect(await verify({ to: '2000-01-01T00:00:00Z' })).toMatchObject({ valid: true });
    await expect(drop('2020-01')).rejects.toThrow('does not exist');
  });

  it('is dropped with what leads from IP addresses to its entries', async () => {
    const left = await own.query<{ month: string }>(
      `SELECT to_char(month, 'YYYY-MM') AS month FROM audit_ip_users WHERE user_id = $1`,
      [NOBODY],
    );
    expect(left).toEqual([{ month: '2020-03' }]);
  });

  it('is located in its seals when other entries of them are gone', async () => {
    await get(`${april}/proof`).expect(200);
    await run();
    await sealed(
      app,
      (await announcements()).map(({ id }) => id),
    );
    await run();
    expect(await months()).toEqual(['2020_03']);
    expect(await verify()).toMatchObject({ valid: true, dropped: 11 });
  });
});

describe('a superuser who disables the triggers', () => {
  let tampering: Tampering;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-retention-'));
    tampering = await Tampering.prepare(own);
  });
  afterEach(() => tampering.undo());
  afterAll(async () => {
    expect(await verify()).toMatchObject({ valid: true, dropped: 11 });
    await rm(folder, { recursive: true });
  });
  const fault = async () => (await verify()).first_fault;

  it('and removes or changes a retention is detected', async () => {
    await tampering.do(`DELETE FROM audit_retentions WHERE month = '2020-02'`);
    expect(await fault()).toMatchObject({ kind: 'entry_missing' });
    await tampering.undo();
    for (const [column, value] of [
      ['leaves', `leaves || ' 900.0-901.0'`],
      ['entries', 'entries + 1'],
      ['signature', `set_byte(signature, 0, get_byte(signature, 0) # 1)`],
      ['seal_hash', `sha256('')`],
      ['kid', `'another'`],
    ]) {
      await tampering.do(`UPDATE audit_retentions SET ${column} = ${value} WHERE month = '2020-02'`);
      const found = await fault();
      expect([column, found?.kind, found?.message]).toEqual([
        column,
        'retention_forged',
        expect.stringContaining('the retention of 2020-02'),
      ]);
      await tampering.undo();
    }
    await tampering.do(`UPDATE audit_retentions SET entry = sha256('') WHERE month = '2020-02'`);
    expect(await fault()).toMatchObject({ kind: 'retention_unannounced' });
  });

  it('and signs a retention with our key is detected, because no audit entry announces it', async () => {
    const [, , third] = await app.nest.get(RetentionsRepository).findAll();
    if (!third) throw new Error('no retention exists');
    const [gone = ''] = await writeEntries(own);
    await sealed(app, [gone]);
    const { body } = await get(`${gone}/proof`).expect(200);
    const { leaf_index: index, seal } = body as { leaf_index: number; seal: SealBody };
    const place = { seal: seal.number, index };
    const sealHash = Buffer.from(seal.hash, 'hex');
    const { kid, privateKey } = app.nest.get(AuditKeysService).signingKey;
    const forged = signRetention(
      { ...third, entries: 1, leaves: [{ from: place, to: place }], sealHash, kid },
      privateKey,
    );
    await tampering.do(
      ['DELETE FROM audit_entries WHERE id = $1', [gone]],
      [
        'UPDATE audit_retentions SET entries = 1, leaves = $1, seal_hash = $2, hash = $3, signature = $4 WHERE month = $5',
        [formatLeaves(forged.leaves), forged.sealHash, forged.hash, forged.signature, third.month],
      ],
    );
    expect(await fault()).toMatchObject({ kind: 'retention_unannounced' });
    // Makes the retention look like one that is not sealed yet.
    await tampering.do([`UPDATE audit_retentions SET xid = '9999999' WHERE month = $1`, [third.month]]);
    expect(await fault()).toMatchObject({ kind: 'retention_unannounced' });
  });

  it('and changes the hash of a dropped entry is detected', async () => {
    await tampering.do(
      `UPDATE audit_seals SET leaf_hashes = set_byte(leaf_hashes, 40, get_byte(leaf_hashes, 40) # 1)
       WHERE number = (SELECT split_part(leaves, '.', 1)::bigint FROM audit_retentions WHERE month = '2020-01')`,
    );
    expect(await fault()).toMatchObject({ kind: 'seal_changed' });
  });

  it('and deletes an entry, or drops an unannounced month, is detected', async () => {
    const [id = ''] = await writeEntries(own);
    await sealed(app, [id]);
    await tampering.do(['DELETE FROM audit_entries WHERE id = $1', [id]]);
    expect(await fault()).toMatchObject({ kind: 'entry_missing' });
    await tampering.undo();
    await tampering.do(
      'DROP TABLE audit_entries_2020_03',
      `DELETE FROM audit_retentions WHERE month = '2020-03'`,
    );
    const found = await fault();
    await own.query(`SELECT make_audit_partition('2020-03-01')`);
    expect(found).toMatchObject({ kind: 'entry_missing' });
  });

  it('and exports the audit log is detected without a database', async () => {
    const trail = await exportAuditLog(own, join(folder, 'trail.ndjson'));
    const { code, out } = await verifyAuditLogFile(trail);
    expect([code, out]).toEqual([0, expect.stringContaining('and 11 entries dropped by retention')]);
    const lines = (await readFile(trail, 'utf8')).trimEnd().split('\n');
    const at = lines.findIndex((line) => line.startsWith('{"retention":{"month":"2020-01"'));
    const checked = async (changed: readonly string[]) => {
      await writeFile(join(folder, 'other.ndjson'), changed.join('\n'));
      return verifyAuditLogFile(join(folder, 'other.ndjson'));
    };
    expect((await checked(lines.toSpliced(at, 1))).out).toContain('entry_missing');
    const changed = (lines[at] ?? '').replace('"entries":6', '"entries":7');
    expect((await checked(lines.with(at, changed))).out).toContain('retention_forged');
    const broken = (lines[at] ?? '').replace(/"leaves":"[^"]*"/, '"leaves":"1.0"');
    expect((await checked(lines.with(at, broken))).code).toBe(2);
  });
});
