import { Socket } from 'node:net';
import pg from 'pg';
import type { DataSource, DataSourceOptions } from 'typeorm';
import type { Config } from '../../../config/config.js';
import { BackendStateReader } from './connections/backend-state.reader.js';
import { connectionOptions } from './connections/connection-options.js';
import { PathMonitor } from './connections/path.monitor.js';
import { createClientClass, type QueryObserver } from './connections/service.client.js';
import { SharedBufferSocket } from './connections/shared-buffer.socket.js';
import { ServicePool } from './pools/service.pool.js';
import { connectionFailure } from '../../../common/errors/connection-failure.js';
import { BackgroundLogger } from '../../logging/background.logger.js';

export const APPLICATION_NAME = 'gatehouse';

/** Returns TypeORM's options: they use our pool and client classes and never let TypeORM create a schema. */
export function dataSourceOptions(
  config: Config & { readonly DATABASE_URL: string },
  observe: QueryObserver,
) {
  const server = connectionOptions(config.DATABASE_URL);
  const { connectionString, Client, ...connection } = server;
  const backends = new BackendStateReader(server);
  const path = new PathMonitor(backends);
  return {
    type: 'postgres',
    url: connectionString,
    applicationName: APPLICATION_NAME,
    synchronize: false,
    installExtensions: false,
    driver: { ...pg, Pool: ServicePool },
    // An idle connection broke; the pool has already replaced it.
    poolErrorHandler: (error: Error) =>
      new BackgroundLogger('Database').warn(
        `an idle connection to the database broke and is replaced: ${connectionFailure(error)}`,
      ),
    extra: {
      ...connection,
      Client: createClientClass({ Client, observe, keepsStatements: config.DB_PREPARED, path, backends }),
      path,
      backends,
      max: config.DB_POOL_MAX,
      min: config.DB_POOL_MIN,
      connectionTimeoutMillis: config.DB_CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: config.DB_IDLE_TIMEOUT_MS,
      maxLifetimeSeconds: config.DB_MAX_LIFETIME_SECONDS,
      // TLS sockets read into their own buffers.
      stream: (options: pg.ClientConfig) => (options.ssl ? new Socket() : new SharedBufferSocket()),
    },
  } as const satisfies DataSourceOptions;
}

/** Returns the source of the states of the server processes behind this data source. */
export const backendsOf = ({ options }: DataSource): BackendStateReader =>
  (options as ReturnType<typeof dataSourceOptions>).extra.backends;
