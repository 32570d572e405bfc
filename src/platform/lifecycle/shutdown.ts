import { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { ServiceLogger } from '../logging/service-logger.js';
import { Lifecycle } from './lifecycle.js';
import { OpenConnections } from './open-connections.js';

/** Longer than the idle time of the common balancers (60 s), so that it is they who close. */
export const KEEP_ALIVE_MS = 65_000;
/** What remains of the deadline for the pool and the embedded server after the last connection, at most. */
const RESERVE_MS = 2000;

/**
 * Stops the service on SIGTERM and SIGINT in the order of a rolling restart: not ready any more, a
 * grace period in which everything is served, no new connections, the open ones run dry, then the
 * pool, and what `last` stops. A person's Ctrl-C skips the grace; a second signal does too.
 */
export function stopOnSignals(app: INestApplication, config: Config, last: () => Promise<void>): void {
  const server = app.getHttpServer() as Server;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const connections = new OpenConnections(server);
  const hurry = new AbortController();
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGINT' || stopping) hurry.abort();
    if (stopping) return;
    stopping = true;
    void stop({ app, config, connections, hurry: hurry.signal, last });
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

interface Stop {
  readonly app: INestApplication;
  readonly config: Config;
  readonly connections: OpenConnections;
  readonly hurry: AbortSignal;
  readonly last: () => Promise<void>;
}

async function stop({ app, config, connections, hurry, last }: Stop): Promise<never> {
  const logger = app.get(ServiceLogger);
  const deadline = Date.now() + config.SHUTDOWN_DEADLINE_MS;
  setTimeout(() => {
    logger.error('the stop took longer than SHUTDOWN_DEADLINE_MS and is forced');
    process.exit(1);
  }, config.SHUTDOWN_DEADLINE_MS).unref();
  try {
    logger.log('stopping');
    app.get(Lifecycle).drain();
    connections.announceClose();
    await pause(config.SHUTDOWN_GRACE_MS, hurry);
    connections.stopListening();
    app.get(Lifecycle).endStreams();
    const reserveMs = Math.min(RESERVE_MS, config.SHUTDOWN_DEADLINE_MS / 2);
    const cut = await connections.drained(hurry.aborted ? 0 : KEEP_ALIVE_MS, deadline - reserveMs);
    if (cut > 0) logger.error(`${cut} requests did not end before SHUTDOWN_DEADLINE_MS and were cut off`);
    await app.close();
    await last();
    logger.log('stopped');
    process.exit(cut > 0 ? 1 : 0);
  } catch (error) {
    logger.error(error);
    process.exit(1);
  }
}

function pause(ms: number, cut: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (cut.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    cut.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
