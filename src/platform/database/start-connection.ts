import type pg from 'pg';
import { connectionTo } from './connection-to.js';

export const MIGRATOR = 'gatehouse:migrate';
export const CONNECT_TIMEOUT_MS = 10_000;

export class DatabaseStartError extends Error {
  override readonly name = 'DatabaseStartError';
}

/** @throws DatabaseStartError, which says why, when there is no connection within 10 s */
export async function connectForStart(url: string): Promise<pg.Client> {
  const { Client, ...address } = connectionTo(url);
  const client = new Client({
    ...address,
    application_name: MIGRATOR,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // It may be idle while the migrations run: a loss then is theirs to report, not an uncaught event.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : '';
    throw new DatabaseStartError(`The database cannot be reached: ${reason}`, { cause });
  }
}
