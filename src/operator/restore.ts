import { parseArgs } from 'node:util';
import type { Client } from 'pg';
import { createApp } from '../app.js';
import { readConfig } from '../config/config.js';
import { SessionsService } from '../modules/auth/sessions/sessions.service.js';
import { JobWorker } from '../modules/jobs/processing/job.worker.js';
import { SealsService } from '../modules/audit/sealing/seals.service.js';
import { ErasureScheduler } from '../modules/users/erasure/erasure.scheduler.js';
import { WebhookDeliverer } from '../modules/webhooks/sending/webhook.deliverer.js';
import { BackupFile } from '../platform/backup/backup.file.js';
import type { BackupManifest } from '../platform/backup/backup-manifest.js';
import { DatabaseRestore } from '../platform/backup/database.restore.js';
import { assertOwner } from '../platform/database/startup/assert-owner.js';
import { adaptToPooler } from '../platform/database/startup/detect-pooler.js';
import { withMigrator } from '../platform/database/startup/migrate.js';
import type { OpenDatabase } from '../platform/database/startup/open-database.js';
import { describeStartFailure } from '../platform/lifecycle/describe-start-failure.js';
import { toStderr } from '../platform/logging/start.logger.js';
import { TaskWorker } from '../platform/queue/task.worker.js';
import { describeViolation, findViolations } from './invariants.js';
import { masterKeyDigest } from './master-key-digest.js';
import { obtainPassphrase } from './passphrase.js';
import { megabytes, ProgressLine } from './progress-line.js';
import { runCommand } from './run-command.js';

const USAGE = 'npm run restore -- [--end-sessions] <file>, or npm run restore -- --check <file>';
const FAILURE = 'The restore failed';
const WRONG_USAGE = 2;

type Configured = OpenDatabase['config'];

interface Arguments {
  readonly file: string;
  readonly check: boolean;
  readonly endSessions: boolean;
}

/** `npm run restore -- <file>`: fills an empty database from a backup. With `--check` it only reads the file. */
const given = readArguments();
if (given === null) {
  process.stderr.write(`usage: ${USAGE}\n`);
  process.exitCode = WRONG_USAGE;
} else if (given.check) {
  await check(given.file).catch((error: unknown) => {
    process.stderr.write(`${describeStartFailure(error, 'The check failed')}\n`);
    process.exitCode = 1;
  });
} else {
  await runCommand((config, signal) => restore(given, config, signal), { failure: FAILURE, cleansUp: true });
}

function readArguments(): Arguments | null {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        check: { type: 'boolean', default: false },
        'end-sessions': { type: 'boolean', default: false },
      },
    });
    const [file, ...others] = positionals;
    const { check: onlyCheck, 'end-sessions': endSessions } = values;
    if (file === undefined || others.length > 0 || (onlyCheck && endSessions)) return null;
    return { file, check: onlyCheck, endSessions };
  } catch {
    return null;
  }
}

async function check(path: string): Promise<void> {
  const file = await BackupFile.open(path, await obtainPassphrase(readConfig().BACKUP_PASSPHRASE, false));
  process.stdout.write(`${path} is whole: ${describeManifest(await checkFile(file))}\n`);
}

async function checkFile(file: BackupFile, signal?: AbortSignal): Promise<BackupManifest> {
  const line = new ProgressLine();
  try {
    return await file.check({
      progress: (bytes) => line.show(() => `checking the file: ${megabytes(bytes)}`),
      ...(signal && { signal }),
    });
  } finally {
    line.end();
  }
}

function describeManifest({ contents, createdAt, version }: BackupManifest): string {
  const rows = contents.reduce((sum, table) => sum + table.rows, 0);
  return `${rows} rows of ${contents.length} tables as of ${createdAt}, written by Gatehouse ${version}`;
}

async function restore(args: Arguments, config: Configured, signal: AbortSignal): Promise<void> {
  await assertOwner(config);
  const file = await BackupFile.open(args.file, await obtainPassphrase(config.BACKUP_PASSPHRASE, false));
  const line = new ProgressLine();
  await withMigrator(config, toStderr, async (migrator) => {
    const database = await DatabaseRestore.into(migrator);
    const manifest = await checkFile(file, signal);
    await assertMasterKey(manifest, config);
    const findings: string[] = [];
    await database.run(
      { file, manifest },
      {
        signal,
        progress: (table, bytes) => line.show(() => `loading ${table}: ${megabytes(bytes)}`),
        notice: toStderr,
        complete: async (epoch) => {
          line.end();
          process.stdout.write(`Restored ${describeManifest(manifest)}. Epoch ${epoch} begins\n`);
          findings.push(...(await complete(config, migrator.client, args)));
        },
      },
    );
    if (findings.length > 0) throw new Error(`the database is restored, but ${findings.join('; ')}`);
  }).finally(() => line.end());
}

/** Refuses early what no start could decrypt. */
async function assertMasterKey({ masterKey }: BackupManifest, config: Configured): Promise<void> {
  if (masterKey === (await masterKeyDigest(config))) return;
  throw new Error(
    'the backup was written with another MASTER_KEY; set that one, or copy its master.key into DATA_DIR',
  );
}

/**
 * Does what must be done before the restored database serves anyone, and verifies it.
 * @returns what is wrong with the database; nothing of it comes from the restore
 */
async function complete(config: Configured, owner: Client, { endSessions }: Arguments): Promise<string[]> {
  const app = await createApp({
    ...(await adaptToPooler(config, toStderr)),
    LOG_LEVEL: 'warn',
    EVENTS_REDIS_STREAM: undefined,
  });
  try {
    // The first instance sends what waits in the backup, such as mails, and not this command.
    for (const worker of [TaskWorker, JobWorker, WebhookDeliverer]) await app.get(worker).onModuleDestroy();
    await app.init();
    const erased = await app.get(ErasureScheduler).eraseRestoredFromBackup();
    process.stdout.write(`Erased again by erasures.log: ${erased} users\n`);
    if (endSessions)
      process.stdout.write(`Ended the sessions of ${await app.get(SessionsService).endAll()} users\n`);
    const { valid, seals, entries, firstFault } = await app.get(SealsService).verify({});
    process.stdout.write(
      `The audit log is ${valid ? 'valid' : 'INVALID'}: ${seals} seals over ${entries} entries\n`,
    );
    const violations = await findViolations(owner);
    if (violations.length === 0) process.stdout.write('All invariants hold\n');
    return [
      ...(valid ? [] : [`its audit log is invalid: ${firstFault?.message}`]),
      ...violations.map(describeViolation),
    ];
  } finally {
    await app.close();
  }
}
