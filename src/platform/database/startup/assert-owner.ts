import { connectForStart, DatabaseStartError, ownerAddress } from './start-connection.js';
import type { DatabaseAddresses } from './migrate.js';

/**
 * Rejects a connection that does not belong to the owner of the schema, for commands that no role of the service may
 * run.
 * @throws DatabaseStartError
 */
export async function assertOwner(addresses: DatabaseAddresses): Promise<void> {
  const address = ownerAddress(addresses);
  const client = await connectForStart(address);
  try {
    const { rows } = await client.query<{ owns: boolean }>(
      `SELECT pg_has_role(current_user, relowner, 'USAGE') AS owns
       FROM pg_class WHERE oid = to_regclass('public.migrations')`,
    );
    // Without a schema, the migration finds out whether the role may create it.
    if (rows[0]?.owns !== false) return;
  } finally {
    await client.end();
  }
  throw new DatabaseStartError(
    `${address.name} does not connect as the owner of the database: set MIGRATION_DATABASE_URL to the owner’s address`,
  );
}
