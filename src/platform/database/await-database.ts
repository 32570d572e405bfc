import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config/config.js';
import { connectForStart, DatabaseStartError, type NamedAddress } from './start-connection.js';

const RETRY_EVERY_MS = 500;
const SAY_EVERY_MS = 3000;
/** An attempt that is unanswered for this long is waiting. */
const UNANSWERED_MS = 2000;
const TICK_MS = 100;

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
export async function awaitDatabase(addresses: readonly NamedAddress[], wait: DatabaseWait): Promise<void> {
  const until = performance.now() + wait.timeoutMs;
  let reason = 'it does not answer';
  let saidAt = -Infinity;
  const say = (): void => {
    if (performance.now() - saidAt < SAY_EVERY_MS) return;
    saidAt = performance.now();
    wait.onWaiting(reason);
  };
  for (const address of addresses) {
    for (let fault = await attempt(address, say); fault; fault = await attempt(address, say)) {
      wait.signal.throwIfAborted();
      if (!isAway(fault) || performance.now() >= until) throw fault;
      reason = fault.message;
      say();
      await sleep(RETRY_EVERY_MS, undefined, { signal: wait.signal });
    }
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
  const names = ['MIGRATION_DATABASE_URL', 'DATABASE_URL', 'LISTEN_DATABASE_URL'] as const;
  const given = names.flatMap((name) => (config[name] === undefined ? [] : [{ name, url: config[name] }]));
  return awaitDatabase(given, { timeoutMs: config.DB_START_TIMEOUT_SECONDS * 1000, signal, onWaiting });
}

/**
 * Tries one connection. `onUnanswered` is called while no answer comes. A tick counts once, however late it is:
 * while this process loads the service it cannot read an answer, and that time must not count.
 */
async function attempt(address: NamedAddress, onUnanswered: () => void): Promise<Error | null> {
  let ticks = 0;
  const watch = setInterval(() => {
    ticks += 1;
    if (ticks * TICK_MS >= UNANSWERED_MS) onUnanswered();
  }, TICK_MS);
  try {
    await (await connectForStart(address)).end();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    clearInterval(watch);
  }
}

/** Also what a pooler says whose server is away: class 08, connection exceptions. */
function isAway(fault: Error): boolean {
  if (!(fault instanceof DatabaseStartError)) return false;
  const { cause } = fault;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return AWAY.has(code) || code.startsWith('08') || AWAY_TEXT.test(fault.message);
}
