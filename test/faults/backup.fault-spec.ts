import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../support/app/instance.js';
import { MASTER_KEY } from '../support/app/secrets.js';
import { ADMIN, signIn } from '../support/app/test-app.js';
import { commandEnvironment, type Measured, measureBackupCommand } from '../support/builders/backups.js';
import { OpenExport } from '../support/builders/exports.js';
import { TestDatabase } from '../support/database/test-database.js';

const USERS = 1_000_000;
const MAX_BYTES_ABOVE_IDLE = 64 * 1024 * 1024;
const TIMEOUT_MS = 3_600_000;

/** Gives each user the key and the event that the service would have stored, under one audit entry. */
const HISTORY = `
  BEGIN;
  INSERT INTO account_keys (user_id, wrapped)
  SELECT id, decode(replace(concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()), '-', ''), 'hex')
  FROM users ON CONFLICT DO NOTHING;
  INSERT INTO events (id, type, stream, stream_version, subject, occurred_at, data_sealed)
  SELECT gen_random_uuid(), 'user.created', id, 1, id, created_at,
         decode(replace(concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()), '-', ''), 'hex')
  FROM users WHERE NOT EXISTS (SELECT FROM events WHERE stream = users.id);
  INSERT INTO audit_entries (id, occurred_at, actor_type, action, outcome)
  VALUES (gen_random_uuid(), clock_timestamp(), 'system', 'user.create', 'success');
  COMMIT`;

describe(`a backup of ${USERS} users`, () => {
  let database: TestDatabase;
  let target: TestDatabase;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-large-backup-'));
    [database, target] = [await TestDatabase.create(), await TestDatabase.create({ empty: true })];
    const env = { PATH: process.env['PATH'], ...database.addresses };
    await promisify(execFile)(process.execPath, ['scripts/seed.mjs', '--accounts', String(USERS)], { env });
    await database.query(HISTORY);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await Promise.all([database?.drop(), target?.drop()]);
    await rm(folder, { recursive: true });
  });

  /** Exports all users. @returns their number and a digest of their rows without the last sign-ins */
  async function exported(from: TestDatabase): Promise<{ rows: number; digest: string }> {
    const env = { ...from.addresses, MASTER_KEY, ADMIN_PASSWORD: ADMIN.password, DATA_DIR: folder };
    const instance = await Instance.start({ env });
    try {
      const user = await signIn(instance.url, ADMIN.email, ADMIN.password);
      const path = '/api/export/users?format=ndjson';
      const { response } = await OpenExport.begin({ url: instance.url, user, path });
      const hash = createHash('sha256');
      let [rows, rest] = [0, ''];
      for await (const chunk of response as AsyncIterable<Buffer>) {
        const lines = (rest + chunk.toString('latin1')).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines.filter((each) => !each.startsWith('{"_complete"'))) {
          hash.update(line.replace(/"last_login_at":[^,}]*/, ''));
          rows++;
        }
      }
      return { rows, digest: hash.digest('hex') };
    } finally {
      await instance.stop();
    }
  }

  const say = (what: string, { seconds, peakBytes }: Measured, idle: Measured): void => {
    const above = (peakBytes - idle.peakBytes) / 1024 / 1024;
    process.stdout.write(
      `${what}: ${seconds.toFixed(1)} s, ${above.toFixed(1)} MiB above that of an empty database\n`,
    );
  };

  it(
    'needs at most 64 MiB above idle, and brings every row back',
    async () => {
      const before = await exported(database);
      const file = join(folder, 'large');
      const small = join(folder, 'small');
      const empty = await TestDatabase.create();
      const emptyTarget = await TestDatabase.create({ empty: true });
      const env = (of: TestDatabase) => commandEnvironment(of, folder);
      const idle = await measureBackupCommand('backup', [small], env(empty));
      const written = await measureBackupCommand('backup', [file], env(database));
      expect(written).toMatchObject({ code: 0, err: '' });
      const idleRestore = await measureBackupCommand('restore', [small], env(emptyTarget));
      const restored = await measureBackupCommand('restore', [file], env(target));
      await Promise.all([empty.drop(), emptyTarget.drop()]);
      process.stdout.write(`${restored.out}file: ${((await stat(file)).size / 1e6).toFixed(0)} MB\n`);
      say('backup', written, idle);
      say('restore', restored, idleRestore);
      expect(restored).toMatchObject({ code: 0, err: '' });
      expect(restored.out).toContain('The audit log is valid');
      expect(restored.out).toContain('All invariants hold');
      expect(written.peakBytes - idle.peakBytes).toBeLessThan(MAX_BYTES_ABOVE_IDLE);
      expect(restored.peakBytes - idleRestore.peakBytes).toBeLessThan(MAX_BYTES_ABOVE_IDLE);
      expect(await exported(target)).toEqual(before);
      expect(before.rows).toBeGreaterThan(0.9 * USERS);
    },
    TIMEOUT_MS,
  );
});
