import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from 'pg';

import { SUPERUSER } from './cluster.js';
import { codeOf } from './embedded-postgres.error.js';

const CONNECT_TIMEOUT_MS = 2_000;
const CLOSE_TIMEOUT_MS = 1_000;
/** `create database` copies files; everything else here takes milliseconds. */
const QUERY_TIMEOUT_MS = 60_000;

/** The server is starting, recovering or shutting down; or it has closed, or not yet opened, its port. */
const NOT_YET = new Set(['57P01', '57P02', '57P03', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);
const NOT_YET_TEXT = /timeout|connection terminated|not queryable/i;

/**
 * A superuser's connection to the embedded server, at most 2 s in the making. Every option is given: pg would
 * ask PG* variables. By default not to the service's own database: that one can be dropped and restored while
 * services are members.
 */
export async function connect(port: number, password: string, database = 'postgres'): Promise<Client> {
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: SUPERUSER,
    password,
    database,
    ssl: false,
    application_name: 'gatehouse:member',
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  // Without a listener a server that dies takes this process with it.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await close(client);
    throw error;
  }
}

/** Whether trying again may help after this failure of `connect`. */
export function isNotYet(error: unknown): boolean {
  return NOT_YET.has(codeOf(error) ?? '') || NOT_YET_TEXT.test(String(error));
}

/** Ends a connection, whatever its state, within a second. */
export async function close(client: Client): Promise<void> {
  const patience = new AbortController();
  const ended = client.end().catch(() => undefined);
  await Promise.race([
    ended,
    sleep(CLOSE_TIMEOUT_MS, undefined, { signal: patience.signal }).catch(() => undefined),
  ]);
  patience.abort();
}

/** Whether this connection keeps the process alive. pg has both methods, its types do not. */
export function holdProcess(client: Client, hold: boolean): void {
  const method: unknown = Reflect.get(client, hold ? 'ref' : 'unref');
  if (typeof method === 'function') method.call(client);
}
