import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../../config/config.js';
import { connectForStart, DatabaseStartError, type NamedAddress } from './start-connection.js';

const RETRY_INTERVAL_MS = 500;
const REPORT_INTERVAL_MS = 3000;
/** An attempt that stays unanswered for this long is reported as waiting. */
const UNANSWERED_MS = 2000;
const TICK_MS = 100;

/**
 * Error codes worth a retry: the server is starting, stopping or crashed, has too many connections, or its
 * path does not exist (yet).
 */
const UNAVAILABLE_CODES: ReadonlySet<string> = new Set([
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
const UNAVAILABLE_TEXT = /timeout|terminated unexpectedly|Connection terminated/i;

export interface DatabaseWait {
  readonly timeoutMs: number;
  /** Aborts the wait immediately. */
  readonly signal: AbortSignal;
  /** Called when the wait begins, and every few seconds from then on. */
  readonly onWaiting: (reason: string) => void;
}

/**
 * Resolves when the database answers at each of these addresses. Fails at once when the database refuses the
 * connection (wrong password, no such database), because only a person can fix that.
 * @throws DatabaseStartError
 */
export async function awaitDatabase(addresses: readonly NamedAddress[], wait: DatabaseWait): Promise<void> {
  const until = performance.now() + wait.timeoutMs;
  let reason = 'it does not answer';
  let saidAt = -Infinity;
  const say = (): void => {
    if (performance.now() - saidAt < REPORT_INTERVAL_MS) return;
    saidAt = performance.now();
    wait.onWaiting(reason);
  };
  for (const address of addresses) {
    for (let fault = await attempt(address, say); fault; fault = await attempt(address, say)) {
      wait.signal.throwIfAborted();
      if (!isUnavailable(fault) || performance.now() >= until) throw fault;
      reason = fault.message;
      say();
      await sleep(RETRY_INTERVAL_MS, undefined, { signal: wait.signal });
    }
  }
}

type Addresses = Pick<
  Config,
  'DATABASE_URL' | 'MIGRATION_DATABASE_URL' | 'LISTEN_DATABASE_URL' | 'DB_START_TIMEOUT_SECONDS'
>;

/** Waits for the configured servers. The embedded server needs no wait. */
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
 * Tries one connection and calls `onUnanswered` while no answer arrives. Counts timer ticks, however late
 * each one fires, because the process cannot read an answer while it loads the service. That time must not
 * count.
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

/**
 * Tells whether the fault may pass. Class 08 (connection exceptions) is included because poolers report it
 * when their server is away.
 */
function isUnavailable(fault: Error): boolean {
  if (!(fault instanceof DatabaseStartError)) return false;
  const { cause } = fault;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return UNAVAILABLE_CODES.has(code) || code.startsWith('08') || UNAVAILABLE_TEXT.test(fault.message);
}
