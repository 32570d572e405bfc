import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CHUNK_BYTES, HEADER_BYTES, TAG_BYTES } from '../../../src/platform/backup/backup.cipher.js';
import { BackupFile, writeBackupFile } from '../../../src/platform/backup/backup.file.js';
import { DatabaseSnapshot } from '../../../src/platform/backup/database.snapshot.js';
import { DatabaseRestore } from '../../../src/platform/backup/database.restore.js';
import { findMigrations, migrate, withMigrator } from '../../../src/platform/database/startup/migrate.js';
import { until } from '../../support/app/until.js';
import {
  BACKUP_PASSPHRASE,
  commandEnvironment,
  connectOwner,
  restoreBackup,
  runBackupCommand,
  writeBackup,
} from '../../support/builders/backups.js';
import { schemaDump } from '../../support/database/schema-dump.js';
import { TestDatabase } from '../../support/database/test-database.js';

const FOLDER = mkdtempSync(join(tmpdir(), 'gatehouse-restore-'));
const FILE = join(FOLDER, 'backup');
const STORED_BYTES = CHUNK_BYTES + TAG_BYTES;
const MARK = `SELECT to_regclass('public.unfinished_restore') IS NOT NULL AS there`;

let source: TestDatabase;
let target: TestDatabase;
beforeAll(async () => {
  source = await TestDatabase.create();
  // Random bytes cannot be compressed, so the file has several chunks.
  await source.query(
    `INSERT INTO account_keys (user_id, wrapped)
     SELECT gen_random_uuid(), decode(replace(concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid()), '-', ''), 'hex')
     FROM generate_series(1, 8000)`,
  );
  await writeBackup(source, FILE);
});
afterAll(async () => {
  await source?.drop();
  rmSync(FOLDER, { recursive: true });
});
beforeEach(async () => {
  target = await TestDatabase.create({ empty: true });
});
afterEach(() => target.drop());

const isMarked = async (): Promise<boolean> =>
  (await target.query<{ there: boolean }>(MARK))[0]?.there === true;

/** Fails unless the database is as it was before the restore. */
async function expectEmpty(): Promise<void> {
  expect(await schemaDump(target)).toEqual([]);
  expect(await isMarked()).toBe(false);
}

async function expectRestored(): Promise<void> {
  expect(await target.query('SELECT count(*)::integer AS keys FROM account_keys')).toEqual([{ keys: 8000 }]);
  expect(await isMarked()).toBe(false);
}

describe('a restore', () => {
  const harms: [string, (bytes: Buffer) => Buffer, string | RegExp][] = [
    ['cut in its header', (bytes) => bytes.subarray(0, HEADER_BYTES - 1), 'is cut off'],
    ['cut after its header', (bytes) => bytes.subarray(0, HEADER_BYTES), 'is cut off or damaged'],
    ['cut in a chunk', (bytes) => bytes.subarray(0, -1), 'is cut off or damaged'],
    [
      'cut after a chunk',
      (bytes) => bytes.subarray(0, HEADER_BYTES + 2 * STORED_BYTES),
      `is cut off or damaged after byte ${HEADER_BYTES + STORED_BYTES}`,
    ],
    [
      'whose chunks were exchanged',
      (bytes) => {
        const chunk = (number: number) =>
          bytes.subarray(HEADER_BYTES + number * STORED_BYTES, HEADER_BYTES + (number + 1) * STORED_BYTES);
        return Buffer.concat([
          bytes.subarray(0, HEADER_BYTES),
          chunk(1),
          chunk(0),
          bytes.subarray(HEADER_BYTES + 2 * STORED_BYTES),
        ]);
      },
      `is damaged between the bytes ${HEADER_BYTES}`,
    ],
    ['that is none', () => Buffer.from('PGDMP'), 'is not a backup of Gatehouse'],
    ...[9, 20, 70, HEADER_BYTES + 4, HEADER_BYTES + STORED_BYTES - 1, -STORED_BYTES, -1].map(
      (place): [string, (bytes: Buffer) => Buffer, RegExp] => [
        `with one flipped bit at ${place}`,
        (bytes) => {
          const at = place < 0 ? bytes.length + place : place;
          bytes[at] = (bytes[at] ?? 0) ^ 4;
          return bytes;
        },
        /is (?:cut off or )?damaged|has another passphrase/,
      ],
    ),
  ];

  it.each(harms)('refuses a file %s and changes nothing', async (_, harm, message) => {
    const bytes = await readFile(FILE);
    expect(bytes.length).toBeGreaterThan(HEADER_BYTES + 4 * STORED_BYTES);
    const harmed = join(FOLDER, 'harmed');
    await writeFile(harmed, harm(bytes));
    await expect(restoreBackup(target, harmed)).rejects.toThrow(message);
    await expect(restoreBackup(target, harmed)).rejects.toThrow(harmed);
    await expectEmpty();
  });

  it('refuses another passphrase', async () => {
    await expect(BackupFile.open(FILE, 'another passphrase')).rejects.toThrow(
      `${FILE} has another passphrase`,
    );
  });

  it('refuses a database that is not empty, and names what is there', async () => {
    await target.query('CREATE TABLE mine (id integer)');
    await expect(restoreBackup(target, FILE)).rejects.toThrow(
      'The database is not empty: it contains table public.mine. Restore into a new database',
    );
    await target.query('DROP TABLE mine');
    await target.query('CREATE SCHEMA theirs');
    await expect(restoreBackup(target, FILE)).rejects.toThrow('it contains schema theirs');
    expect(await target.query(`SELECT to_regclass('public.users') AS users`)).toEqual([{ users: null }]);
  });

  it('refuses a schema that this version does not know', async () => {
    const newer = join(FOLDER, 'newer');
    await source.query(
      `INSERT INTO migrations (timestamp, name) VALUES (9999999999999, 'Future9999999999999')`,
    );
    await writeBackup(source, newer);
    await source.query(`DELETE FROM migrations WHERE name = 'Future9999999999999'`);
    await expect(restoreBackup(target, newer)).rejects.toThrow(
      /has a newer schema than this version of Gatehouse knows \(Future9999999999999\)/,
    );
    await expectEmpty();
  });

  it('brings an older schema up to date', async () => {
    const names = (await findMigrations()).map(({ name }) => name);
    const older = await TestDatabase.create({ empty: true });
    const file = join(FOLDER, 'older');
    try {
      await withMigrator(
        older.addresses,
        () => {},
        (migrator) => migrator.createSchema(names.slice(0, -4)),
      );
      await older.query(`INSERT INTO roles (name) VALUES ('of-the-older-schema')`);
      await writeBackup(older, file);
    } finally {
      await older.drop();
    }
    await restoreBackup(target, file);
    expect(await target.query(`SELECT name FROM roles WHERE name LIKE 'of-%'`)).toHaveLength(1);
    expect(await schemaDump(target)).toEqual(await schemaDump(source));
  });

  it('creates the months of the audit log that the new database lacks', async () => {
    const file = join(FOLDER, 'months');
    await source.query(`SELECT make_audit_partition('2020-02-01')`);
    await writeBackup(source, file);
    await source.query('DROP TABLE audit_entries_2020_02');
    await restoreBackup(target, file);
    expect(await target.query(`SELECT count(*)::integer AS rows FROM audit_entries_2020_02`)).toEqual([
      { rows: 0 },
    ]);
    // The start checks the protection of every partition.
    await migrate(target.addresses);
  });

  it('notices a file that changes after its check, and leaves nothing', async () => {
    const other = join(FOLDER, 'other');
    const changing = join(FOLDER, 'changing');
    await writeBackup(source, other);
    await copyFile(FILE, changing);
    const restoring = withMigrator(
      target.addresses,
      () => {},
      async (migrator) => {
        const restore = await DatabaseRestore.into(migrator);
        const manifest = await (await BackupFile.open(changing, BACKUP_PASSPHRASE)).check();
        await copyFile(other, changing);
        const file = await BackupFile.open(changing, BACKUP_PASSPHRASE);
        const steps = { signal: new AbortController().signal, progress: () => {}, notice: () => {} };
        await restore.run({ file, manifest }, { ...steps, complete: async () => {} });
      },
    );
    await expect(restoring).rejects.toThrow(new RegExp(`^${changing} has changed since it was checked$`));
    await expectEmpty();
  });

  it('leaves nothing when its last step fails', async () => {
    const complete = () => Promise.reject(new Error('the last step'));
    await expect(restoreBackup(target, FILE, { complete })).rejects.toThrow('the last step');
    await expectEmpty();
    await restoreBackup(target, FILE);
    await expectRestored();
  });

  it('whose connection breaks says that something is left, and the next one starts anew', async () => {
    const complete = async () => {
      await target.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'gatehouse:migrate'`,
      );
      throw new Error('the connection broke');
    };
    await expect(restoreBackup(target, FILE, { complete })).rejects.toThrow(
      /^the connection broke\. What is there could not be removed \(.+\); the next restore will do it$/,
    );
    await expect(migrate(target.addresses)).rejects.toThrow('A restore of this database was interrupted');
    const notices: string[] = [];
    await restoreBackup(target, FILE, { notice: (text) => notices.push(text) });
    expect(notices).toEqual(['an earlier restore of this database was interrupted; starting anew']);
    await expectRestored();
  });
});

describe('npm run restore', () => {
  const env = () => commandEnvironment(target, FOLDER);

  it.each([[[]], [['one', 'two']], [['--what', 'one']], [['--check', '--end-sessions', 'one']]])(
    'prints its usage for the arguments %j',
    async (args) => {
      const { code, err } = await runBackupCommand('restore', args, {});
      expect(err).toMatch(/^usage: npm run restore -- /);
      expect(code).toBe(2);
    },
  );

  it('refuses a backup with another master key before it changes anything', async () => {
    const { code, err } = await runBackupCommand('restore', [FILE], env());
    expect(err).toMatch(/^The restore failed: the backup was written with another MASTER_KEY;[^\n]+\n$/);
    expect(code).toBe(1);
    await expectEmpty();
  });

  it.each([
    ['SIGTERM', 1, false],
    ['SIGKILL', null, true],
  ] as const)(
    'that is ended by %s leaves an empty database, or one that says so',
    async (signal, code, marked) => {
      const own = join(FOLDER, `of-${signal}`);
      expect(await runBackupCommand('backup', [own], commandEnvironment(source, FOLDER))).toMatchObject({
        code: 0,
      });
      const child = spawn(process.execPath, ['dist/src/operator/restore.js', own], {
        env: env(),
        stdio: 'ignore',
      });
      const exit = once(child, 'exit');
      await until(isMarked);
      child.kill(signal);
      expect((await exit)[0]).toBe(code);
      expect(await isMarked()).toBe(marked);
      if (marked) {
        await expect(migrate(target.addresses)).rejects.toThrow('A restore of this database was interrupted');
        expect(await runBackupCommand('restore', [own], env())).toMatchObject({
          code: 0,
          err: 'an earlier restore of this database was interrupted; starting anew\n',
        });
        await expectRestored();
      } else {
        await expectEmpty();
      }
    },
  );
});

describe('npm run backup', () => {
  const env = () => commandEnvironment(source, FOLDER);
  const run = (args: string[], more: Record<string, string> = {}) =>
    runBackupCommand('backup', args, { ...env(), ...more });

  it('prints its usage without exactly one file', async () => {
    expect(await runBackupCommand('backup', ['one', 'two'], {})).toMatchObject({
      code: 2,
      err: 'usage: npm run backup -- <file>\n',
    });
  });

  it('never replaces a file', async () => {
    const { code, err } = await run([FILE]);
    expect(err).toBe(`The backup failed: ${FILE} exists already, and a backup never replaces a file\n`);
    expect(code).toBe(1);
  });

  it('needs a passphrase of 12 characters, and the owner of the database', async () => {
    const file = join(FOLDER, 'refused');
    expect((await run([file], { BACKUP_PASSPHRASE: '' })).err).toContain(
      'set BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE',
    );
    expect((await run([file], { BACKUP_PASSPHRASE: 'elevenchars' })).err).toContain(
      'BACKUP_PASSPHRASE must have at least 12 characters',
    );
    expect((await run([file], { MIGRATION_DATABASE_URL: source.serviceUrl })).err).toContain(
      'MIGRATION_DATABASE_URL does not connect as the owner of the database',
    );
    expect(await readdir(FOLDER)).not.toContain('refused');
  });

  it('leaves nothing behind when it is aborted, or the disk is full', async () => {
    const folder = join(FOLDER, 'full');
    await mkdir(folder);
    const client = await connectOwner(source);
    const abort = new AbortController();
    const snapshot = await DatabaseSnapshot.take(client);
    const opening = await snapshot.describe('');
    const progress = (table: string) => {
      if (table === 'public.account_keys') abort.abort();
    };
    await expect(
      writeBackupFile(join(folder, 'aborted'), snapshot.records(opening, progress), {
        passphrase: BACKUP_PASSPHRASE,
        signal: abort.signal,
      }),
    ).rejects.toThrow('aborted');
    await client.end();
    expect(await readdir(folder)).toEqual([]);

    // A limit on the size of files acts as a full disk does. Blocks have 512 bytes.
    const full = spawn(
      'sh',
      [
        '-c',
        `trap '' XFSZ; ulimit -f 100; exec "$0" dist/src/operator/backup.js "$1"`,
        process.execPath,
        join(folder, 'x'),
      ],
      { env: env(), stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let err = '';
    full.stderr.on('data', (text: Buffer) => (err += text.toString()));
    expect((await once(full, 'close'))[0]).toBe(1);
    expect(err).toMatch(/^The backup failed: [^\n]*EFBIG[^\n]*\n$/);
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses what an interrupted restore has left', async () => {
    await target.query('CREATE TABLE unfinished_restore (began_at timestamptz)');
    const { err } = await run([join(FOLDER, 'rest')], commandEnvironment(target, FOLDER));
    expect(err).toContain('A restore of this database was interrupted');
  });
});
