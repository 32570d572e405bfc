import { stat } from 'node:fs/promises';
import { writeBackupFile } from '../platform/backup/backup.file.js';
import { DatabaseSnapshot } from '../platform/backup/database.snapshot.js';
import { assertOwner } from '../platform/database/startup/assert-owner.js';
import type { OpenDatabase } from '../platform/database/startup/open-database.js';
import { connectForStart, ownerAddress } from '../platform/database/startup/start-connection.js';
import { refuseUnfinishedRestore } from '../platform/database/startup/unfinished-restore.js';
import { masterKeyDigest } from './master-key-digest.js';
import { obtainPassphrase } from './passphrase.js';
import { megabytes, ProgressLine } from './progress-line.js';
import { runCommand } from './run-command.js';

const WRONG_USAGE = 2;

/** `npm run backup -- <file>`: writes all tables as of one moment to a new encrypted file. */
const [path, ...others] = process.argv.slice(2);
if (path === undefined || path.startsWith('-') || others.length > 0) {
  process.stderr.write('usage: npm run backup -- <file>\n');
  process.exitCode = WRONG_USAGE;
} else {
  await runCommand((config, signal) => backUp(path, config, signal), {
    failure: 'The backup failed',
    cleansUp: true,
  });
}

async function backUp(file: string, config: OpenDatabase['config'], signal: AbortSignal): Promise<void> {
  await assertOwner(config);
  const passphrase = await obtainPassphrase(config.BACKUP_PASSPHRASE, true);
  const client = await connectForStart(ownerAddress(config));
  const line = new ProgressLine();
  try {
    await refuseUnfinishedRestore(client);
    const snapshot = await DatabaseSnapshot.take(client);
    const opening = await snapshot.describe(await masterKeyDigest(config));
    const records = snapshot.records(opening, (table, bytes) =>
      line.show(() => `${table}: ${megabytes(bytes)}`),
    );
    await writeBackupFile(file, records, { passphrase, signal });
    line.end();
    const { size } = await stat(file);
    process.stdout.write(
      `Wrote ${opening.tables.length} tables as of ${opening.createdAt} to ${file}, ${megabytes(size)}\n`,
    );
  } finally {
    line.end();
    await client.end();
  }
}
