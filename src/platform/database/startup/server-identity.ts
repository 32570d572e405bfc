import type { Config } from '../../../config/config.js';
import { readDatabaseAddress } from '../../../config/database-address.js';

const ADDRESSES = ['DATABASE_URL', 'MIGRATION_DATABASE_URL', 'LISTEN_DATABASE_URL'] as const;

/**
 * Warns about each database address whose server does not have to prove its identity, because an attacker in
 * between could read and change everything. Unix sockets are exempt: no one can intercept them. Call it for
 * external servers only.
 */
export function warnOfUnverifiedServers(config: Config, warn: (message: string) => void): void {
  for (const name of ADDRESSES) {
    const address = config[name];
    if (address === undefined) continue;
    const { mode, verifies, socket } = readDatabaseAddress(address);
    if (verifies || socket) continue;
    warn(
      `${name} does not verify the server (sslmode=${mode}): ` +
        'set sslmode=verify-full, and sslrootcert=<file> for a private authority (see docs/operations/database-roles.md, "TLS to the database")',
    );
  }
}
