import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config/config.js';
import { connectForStart, DatabaseStartError } from './start-connection.js';

const RETRY_EVERY_MS = 500;
const SAY_EVERY_MS = 3000;
/** An attempt that has not failed by then may hang for long: from here on it is waiting. */
const SAY_FIRST_MS = 1500;

/** Starting, stopping or crashed server; too many connections; a path that is not there (yet). */
const AWAY: ReadonlySet<string> = new Set([
  '57P01',
  '57P02',
  '57P03',
  '53300',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
const AWAY_TEXT = /timeout|terminated unexpectedly|Connection terminated/i;

export interface DatabaseWait {
  readonly timeoutMs: number;
  /** Ends the wait at once. */
  readonly signal: AbortSignal;
  /** Called when there is something to wait for, and every few seconds from then on. */
  readonly onWaiting: (reason: string) => void;
}

/**
 * Resolves when the database answers at all these addresses. A database that answers with a refusal (a wrong
 * password, no such database) is not waited for: a person has to mend that.
 * @throws DatabaseStartError
 */
export async function awaitDatabase(urls: readonly string[], wait: DatabaseWait): Promise<void> {
  const until = performance.now() + wait.timeoutMs;
  let reason = 'it does not answer';
  let saidAt = -Infinity;
  const say = (): void => {
    if (performance.now() - saidAt < SAY_EVERY_MS) return;
    saidAt = performance.now();
    wait.onWaiting(reason);
  };
  const watch = setInterval(say, SAY_FIRST_MS);
  try {
    for (const url of new Set(urls)) {
      for (let fault = await faultOf(url); fault; fault = await faultOf(url)) {
        wait.signal.throwIfAborted();
        if (!isAway(fault) || performance.now() >= until) throw fault;
        reason = fault.message;
        say();
        await sleep(RETRY_EVERY_MS, undefined, { signal: wait.signal });
      }
    }
  } finally {
    clearInterval(watch);
  }
}

type Addresses = Pick<
  Config,
  'DATABASE_URL' | 'MIGRATION_DATABASE_URL' | 'LISTEN_DATABASE_URL' | 'DB_START_TIMEOUT_SECONDS'
>;

/** Waits for the servers of the configuration; for the embedded one nobody has to. */
export function awaitConfiguredDatabase(
  config: Addresses,
  signal: AbortSignal,
  onWaiting: DatabaseWait['onWaiting'],
): Promise<void> {
  const urls = [config.MIGRATION_DATABASE_URL, config.DATABASE_URL, config.LISTEN_DATABASE_URL];
  const given = urls.filter((url) => url !== undefined);
  return awaitDatabase(given, { timeoutMs: config.DB_START_TIMEOUT_SECONDS * 1000, signal, onWaiting });
}

async function faultOf(url: string): Promise<Error | null> {
  try {
    await (await connectForStart(url)).end();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Also what a pooler says whose server is away: class 08, connection exceptions. */
function isAway(fault: Error): boolean {
  if (!(fault instanceof DatabaseStartError)) return false;
  const { cause } = fault;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return AWAY.has(code) || code.startsWith('08') || AWAY_TEXT.test(fault.message);
}
