import type pg from 'pg';
import { connectionOptions } from '../driver/connections/connection-options.js';

export const MIGRATOR = 'gatehouse:migrate';
export const CONNECT_TIMEOUT_MS = 10_000;

export class DatabaseStartError extends Error {
  override readonly name = 'DatabaseStartError';
}

/** A database address and the name of the variable that holds it. */
export interface NamedAddress {
  readonly name: 'DATABASE_URL' | 'MIGRATION_DATABASE_URL' | 'LISTEN_DATABASE_URL';
  readonly url: string;
}

/** Returns the address of the schema's owner. */
export function ownerAddress(addresses: {
  readonly DATABASE_URL: string;
  readonly MIGRATION_DATABASE_URL?: string | undefined;
}): NamedAddress {
  const { DATABASE_URL, MIGRATION_DATABASE_URL: own } = addresses;
  return own === undefined
    ? { name: 'DATABASE_URL', url: DATABASE_URL }
    : { name: 'MIGRATION_DATABASE_URL', url: own };
}

/**
 * Opens a connection for the start.
 * @throws DatabaseStartError with the reason and the variable's name when there is no connection within 10 s
 */
export async function connectForStart({ name, url }: NamedAddress): Promise<pg.Client> {
  const { Client, ...address } = connectionOptions(url);
  const client = new Client({
    ...address,
    application_name: MIGRATOR,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // The connection may be idle while migrations run. They report its loss, so it must not be an uncaught
  // event.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : '';
    throw new DatabaseStartError(`The database cannot be reached: ${reason} (${name})`, { cause });
  }
}
