import type { Config } from '../../config/config.js';
import { readDatabaseAddress } from '../../config/database-address.js';

const ADDRESSES = ['DATABASE_URL', 'MIGRATION_DATABASE_URL', 'LISTEN_DATABASE_URL'] as const;

/**
 * Warns of each address whose server need not prove who it is: whoever gets in between could read and change
 * everything. For a server of somebody else's only; nobody gets in between on a Unix socket.
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
