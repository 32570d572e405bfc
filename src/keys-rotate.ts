import { NestFactory } from '@nestjs/core';
import { ConfigModule } from './config/config.module.js';
import { SigningKeysModule } from './modules/auth/signing-keys.module.js';
import { SigningKeysService } from './modules/auth/signing-keys.service.js';
import { AuditTrailModule } from './platform/audit-trail/audit-trail.module.js';
import { CryptoModule } from './platform/crypto/crypto.module.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { migrate } from './platform/database/migrate.js';
import type { OpenDatabase } from './platform/database/open-database.js';
import { adaptedToPooler } from './platform/database/pooler.js';
import { runCommand } from './platform/lifecycle/run-command.js';
import { toStderr } from './platform/logging/start-logger.js';
import { MetricsModule } from './platform/metrics/metrics.module.js';

/**
 * The modules that key rotation needs, without the ones that serve requests, listen on a port or run tasks.
 */
class KeysModule {
  static with(config: OpenDatabase['config']) {
    const imports = [
      ConfigModule.with(config),
      MetricsModule,
      CryptoModule,
      DatabaseModule,
      AuditTrailModule,
      SigningKeysModule,
    ];
    return { module: KeysModule, imports };
  }
}

/** @returns the id of the key that was published */
async function rotate(config: OpenDatabase['config']): Promise<string | null> {
  await migrate(config, toStderr);
  const adapted = await adaptedToPooler(config, toStderr);
  const app = await NestFactory.createApplicationContext(KeysModule.with(adapted), {
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
  const kid = await rotate(config);
  process.stdout.write(
    kid ? `Published the signing key ${kid}\n` : 'Another process has just published a signing key\n',
  );
});
