import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createApp } from './app.js';
import { AuditKeysService } from './modules/audit/seals/audit-keys.service.js';
import { RetentionsRepository } from './modules/audit/seals/retentions.repository.js';
import { Trail } from './modules/audit/seals/trail.js';
import { trailLines } from './modules/audit/seals/trail-file.js';
import { adaptedToPooler } from './platform/database/pooler.js';
import { runCommand } from './platform/lifecycle/run-command.js';
import { toStderr } from './platform/logging/start-logger.js';

/** `npm run audit:export -- <file>`: writes the whole audit log as stored, for `npm run audit:verify`. */
await runCommand(async (config) => {
  const [path] = process.argv.slice(2);
  if (path === undefined) throw new Error('usage: npm run audit:export -- <file>');
  const app = await createApp({ ...(await adaptedToPooler(config, toStderr)), LOG_LEVEL: 'warn' });
  await app.init();
  const keys = await app.get(AuditKeysService).findTrusted();
  const retentions = await app.get(RetentionsRepository).findAll();
  const blocks = app.get(Trail).blocks({ since: null });
  // Never overwrites a file, because it may be an export that was kept on purpose.
  await pipeline(
    Readable.from(trailLines({ keys, retentions, blocks })),
    createWriteStream(path, { flags: 'wx' }),
  );
  await app.close();
  process.stdout.write(`Wrote the audit log to ${path}\n`);
});
