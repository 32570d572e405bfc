import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from 'pg';

import { SUPERUSER } from './cluster.js';
import { codeOf } from './embedded-postgres.error.js';

const CONNECT_TIMEOUT_MS = 2_000;
const CLOSE_TIMEOUT_MS = 1_000;
/** `create database` copies files; every other query here takes milliseconds. */
const QUERY_TIMEOUT_MS = 60_000;

/** The server is starting, recovering or shutting down, or its port is closed or not yet open. */
const NOT_READY_CODES = new Set(['57P01', '57P02', '57P03', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);
const NOT_READY_TEXT = /timeout|connection terminated|not queryable/i;

/**
 * Opens a superuser's connection to the embedded server within 2 s. Sets every option, because pg would
 * otherwise read PG* variables. Connects to `postgres` by default, because the service's own database can be
 * dropped and restored while services are members.
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
  // Without a listener, a server that dies would end this process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await close(client);
    throw error;
  }
}

/** Tells whether a retry may help after this failure of `connect`. */
export function isNotReady(error: unknown): boolean {
  return NOT_READY_CODES.has(codeOf(error) ?? '') || NOT_READY_TEXT.test(String(error));
}

/** Closes a connection in any state within one second. */
export async function close(client: Client): Promise<void> {
  const patience = new AbortController();
  const ended = client.end().catch(() => undefined);
  await Promise.race([
    ended,
    sleep(CLOSE_TIMEOUT_MS, undefined, { signal: patience.signal }).catch(() => undefined),
  ]);
  patience.abort();
}

/** Sets whether this connection keeps the process alive. pg has both methods, but its types omit them. */
export function holdProcess(client: Client, hold: boolean): void {
  const method: unknown = Reflect.get(client, hold ? 'ref' : 'unref');
  if (typeof method === 'function') method.call(client);
}
