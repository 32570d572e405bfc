import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplication } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { ServiceLogger } from '../logging/service.logger.js';
import { LifecycleService } from './lifecycle.service.js';
import type { ConnectionTracker } from './connection.tracker.js';
import type { ProcessSignals } from './process-signals.listener.js';

/**
 * The part of the deadline reserved, at most, for the pool and the embedded server after the last connection.
 */
const DEADLINE_RESERVE_MS = 2000;
/**
 * The time before the end of the grace period at which streams and uploads are told, so that they hear it
 * within.
 */
const NOTICE_BEFORE_MS = 1000;
/** The time after the deadline to leave the embedded server, because no other process would stop it. */
const CLOSE_TIMEOUT_MS = 5000;

export interface Stopping {
  readonly app: INestApplication;
  readonly config: Config;
  readonly connections: ConnectionTracker;
  readonly signals: ProcessSignals;
  /** Runs last and leaves the embedded server. */
  readonly last: () => Promise<void>;
}

/**
 * Stops the service on request, in the order of a rolling restart. The service becomes not ready, serves
 * everything for a grace period, stops accepting connections, and drains the open ones. Then it closes the
 * pool and runs `last`.
 */
export function stopOnSignals(stopping: Stopping): void {
  stopping.signals.stop.addEventListener('abort', () => void stop(stopping));
}

async function stop(stopping: Stopping): Promise<void> {
  const { app, config, last } = stopping;
  const logger = app.get(ServiceLogger);
  setTimeout(() => {
    logger.error('the stop took longer than SHUTDOWN_DEADLINE_MS and is forced');
    void closeAndExit(last);
  }, config.SHUTDOWN_DEADLINE_MS).unref();
  try {
    const cut = await drain(stopping);
    if (cut > 0) logger.error(`${cut} requests did not end before SHUTDOWN_DEADLINE_MS and were cut off`);
    await app.close();
    await last();
    logger.log('stopped');
    process.exit(cut > 0 ? 1 : 0);
  } catch (error) {
    logger.error(error);
    await closeAndExit(last);
  }
}

/**
 * Drains the service.
 * @returns the number of requests that were cut off
 */
async function drain({ app, config, connections, signals: { hurry, force } }: Stopping): Promise<number> {
  const { SHUTDOWN_GRACE_MS: graceMs, SHUTDOWN_DEADLINE_MS: deadlineMs, SHUTDOWN_IDLE_MS } = config;
  const until = Date.now() + deadlineMs - Math.min(DEADLINE_RESERVE_MS, deadlineMs / 2);
  const lifecycle = app.get(LifecycleService);
  app.get(ServiceLogger).log('stopping');
  lifecycle.drain();
  connections.announceClose();
  const toldBeforeMs = Math.min(NOTICE_BEFORE_MS, graceMs / 2);
  await pause(graceMs - toldBeforeMs, hurry);
  lifecycle.endStreams();
  await pause(toldBeforeMs, hurry);
  connections.stopListening();
  return connections.drained({ idleMs: SHUTDOWN_IDLE_MS, hurry, until, force });
}

/**
 * Leaves the embedded server and exits with code 1. Exits after {@link CLOSE_TIMEOUT_MS} even if leaving fails or takes
 * longer. Never rejects, so callers that end here need not await it.
 */
export async function closeAndExit(last: () => Promise<void>): Promise<never> {
  await Promise.race([last(), sleep(CLOSE_TIMEOUT_MS)]).catch(() => {});
  process.exit(1);
}

async function pause(ms: number, cut: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: cut }).catch(() => {});
}
