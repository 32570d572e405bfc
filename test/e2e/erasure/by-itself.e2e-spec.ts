import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ErasureScheduler } from '../../../src/modules/users/erasure/erasure.scheduler.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

const DATA_DIR = mkdtempSync(join(tmpdir(), 'gatehouse-erasures-'));

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create({ config: { DATA_DIR } });
});
afterAll(async () => {
  await app?.close();
  rmSync(DATA_DIR, { recursive: true });
});

const remove = (id: string) => app.as(app.admin, 'delete', `/api/users/${id}`).expect(204);

describe('the automatic erasure', () => {
  const deletedFor = async (interval: string): Promise<string> => {
    const { id } = await app.createUser();
    await remove(id);
    await app.database.query(`UPDATE users SET deleted_at = clock_timestamp() - $2::interval WHERE id = $1`, [
      id,
      interval,
    ]);
    return id;
  };
  const isThere = async (id: string) => (await app.as(app.admin, 'get', `/api/users/${id}`)).status === 200;

  it('erases users deleted more than 30 days ago, with the system as actor', async () => {
    const [old, young, active] = [
      await deletedFor('30 days 1 minute'),
      await deletedFor('29 days 23 hours 59 minutes'),
      (await app.createUser()).id,
    ];
    await app.nest.get(ErasureScheduler).eraseDeleted();
    expect([await isThere(old), await isThere(young), await isThere(active)]).toEqual([false, true, true]);
    const [entry] = (await app.as(app.admin, 'get', `/api/audit?target_id=${old}&action=user.erase`))
      .body as object[];
    expect(entry).toMatchObject({ actor: { type: 'system', id: null } });
  });

  it('erases users whom a backup has brought back before the service accepts requests', async () => {
    const { id } = await app.createUser();
    await app.database.query('CREATE TABLE backup AS SELECT * FROM users WHERE id = $1', [id]);
    await app.database.query('ALTER TABLE backup DROP COLUMN status');
    const [key] = await app.database.query<{ wrapped: Buffer }>(
      'SELECT wrapped FROM account_keys WHERE user_id = $1',
      [id],
    );
    await remove(id);
    await app.as(app.admin, 'post', `/api/users/${id}/erase`).expect(202);
    const log = join(DATA_DIR, 'erasures.log');
    const logged = async () => (await readFile(log, 'utf8').catch(() => '')).includes(id);
    await until(logged);

    await app.database.query(
      `UPDATE users SET (email, email_key, name, name_key, search_key, password_hash, deleted_at, erased_at)
         = (SELECT email, email_key, name, name_key, search_key, password_hash, NULL::timestamptz, NULL::timestamptz FROM backup) WHERE id = $1`,
      [id],
    );
    await app.database.query('UPDATE account_keys SET wrapped = $2, destroyed_at = NULL WHERE user_id = $1', [
      id,
      key?.wrapped,
    ]);
    expect(await isThere(id)).toBe(true);
    // A partial line left by a crash must not hide the entry after it.
    const whole = await readFile(log, 'utf8');
    await appendFile(log, `2026-01-01T00:00:00.000Z 0192${whole.trim().split('\n').at(-1)}\n`);
    await app.nest.get(ErasureScheduler).eraseRestoredFromBackup();
    expect(await isThere(id)).toBe(false);
    const [row] = await app.database.query(
      'SELECT wrapped, destroyed_at IS NULL AS alive FROM account_keys WHERE user_id = $1',
      [id],
    );
    expect(row).toEqual({ wrapped: null, alive: false });
  });
});
