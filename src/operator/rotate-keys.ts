import { NestFactory } from '@nestjs/core';
import { ConfigModule } from '../config/config.module.js';
import { SigningKeysModule } from '../modules/auth/signing-keys/signing-keys.module.js';
import { SigningKeysService } from '../modules/auth/signing-keys/signing-keys.service.js';
import { AuditLogModule } from '../platform/audit-log/audit-log.module.js';
import { CryptoModule } from '../platform/crypto/crypto.module.js';
import { DatabaseModule } from '../platform/database/database.module.js';
import { migrate } from '../platform/database/startup/migrate.js';
import type { OpenDatabase } from '../platform/database/startup/open-database.js';
import { adaptToPooler } from '../platform/database/startup/detect-pooler.js';
import { runCommand } from './run-command.js';
import { toStderr } from '../platform/logging/start.logger.js';
import { MetricsModule } from '../platform/metrics/metrics.module.js';

/**
 * The modules that key rotation needs, without the ones that serve requests, listen on a port or run tasks.
 */
class RotateKeysModule {
  static with(config: OpenDatabase['config']) {
    const imports = [
      ConfigModule.with(config),
      MetricsModule,
      CryptoModule,
      DatabaseModule,
      AuditLogModule,
      SigningKeysModule,
    ];
    return { module: RotateKeysModule, imports };
  }
}

/** @returns the id of the key that was published */
async function rotateSigningKeys(config: OpenDatabase['config']): Promise<string | null> {
  await migrate(config, toStderr);
  const adapted = await adaptToPooler(config, toStderr);
  const app = await NestFactory.createApplicationContext(RotateKeysModule.with(adapted), {
    abortOnError: false,
    logger: ['error', 'warn'],
  });
  try {
    return await app.get(SigningKeysService).rotateIfOlderThan(0);
  } finally {
    await app.close();
  }
}

/** `npm run keys:rotate`: publishes the next signing key. Every instance signs with it 15 minutes later. */
await runCommand(async (config) => {
  const kid = await rotateSigningKeys(config);
  process.stdout.write(
    kid ? `Published the signing key ${kid}\n` : 'Another process has just published a signing key\n',
  );
});
