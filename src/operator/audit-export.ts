import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createApp } from '../app.js';
import { AuditKeysService } from '../modules/audit/sealing/audit-keys.service.js';
import { RetentionsRepository } from '../modules/audit/retention/retentions.repository.js';
import { AuditLogReader } from '../modules/audit/sealing/audit-log.reader.js';
import { auditLogLines } from '../modules/audit/proofs/audit-log-file.js';
import { adaptToPooler } from '../platform/database/startup/detect-pooler.js';
import type { OpenDatabase } from '../platform/database/startup/open-database.js';
import { runCommand } from './run-command.js';
import { toStderr } from '../platform/logging/start.logger.js';

const WRONG_USAGE = 2;

/** `npm run audit:export -- <file>`: writes the whole audit log as stored, for `npm run audit:verify`. */
const [path, ...others] = process.argv.slice(2);
if (path === undefined || path.startsWith('-') || others.length > 0) {
  process.stderr.write('usage: npm run audit:export -- <file>\n');
  process.exitCode = WRONG_USAGE;
} else {
  await runCommand((config) => exportTo(path, config));
}

async function exportTo(file: string, config: OpenDatabase['config']): Promise<void> {
  const app = await createApp({ ...(await adaptToPooler(config, toStderr)), LOG_LEVEL: 'warn' });
  await app.init();
  const keys = await app.get(AuditKeysService).findTrusted();
  const retentions = await app.get(RetentionsRepository).findAll();
  const blocks = app.get(AuditLogReader).blocks({ since: null });
  // Never overwrites a file, because it may be an export that was kept on purpose.
  await pipeline(
    Readable.from(auditLogLines({ keys, retentions, blocks })),
    createWriteStream(file, { flags: 'wx' }),
  );
  await app.close();
  process.stdout.write(`Wrote the audit log to ${file}\n`);
}
