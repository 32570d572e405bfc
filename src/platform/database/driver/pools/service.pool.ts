import pg from 'pg';
import { AppError } from '../../../../common/errors/app.error.js';
import type { PathMonitor } from '../connections/path.monitor.js';
import { poolOfClient } from '../connections/service.client.js';
import { QueueWaitEstimator } from './queue-wait.estimator.js';

/** A connection pool with a bounded queue. It refuses a caller at once when the expected wait is too long. */
export class ServicePool extends pg.Pool {
  private readonly inUse = new Set<pg.PoolClient>();
  private readonly outdated = new WeakSet<pg.ClientBase>();
  private readonly path: PathMonitor | undefined;
  private readonly estimator: QueueWaitEstimator;
  private returned = 0;

  constructor(options?: pg.PoolConfig & { readonly path?: PathMonitor }) {
    super(options);
    this.path = options?.path;
    this.estimator = new QueueWaitEstimator(this.options.max ?? 10);
    // The pool does not listen to a connection that is in use or ending, and an unhandled error there would
    // end the process. The caller that waits for an answer receives the error anyway.
    this.on('connect', (client) => {
      client.on('error', () => {});
      poolOfClient.set(client, this);
    });
    this.on('acquire', (client) => this.inUse.add(client));
    this.on('release', (_, client) => {
      this.returned++;
      this.estimator.returned(this.waitingCount);
      this.inUse.delete(client);
      if (this.outdated.has(client)) void (client as unknown as pg.Client).end();
    });
    this.on('remove', (client) => this.inUse.delete(client));
  }

  /** Replaces every connection: idle ones now, the others when they are released. */
  renew(): void {
    for (const client of this.inUse) this.outdated.add(client);
    // Idle connections are taken and discarded, so that no caller gets one while it closes. Waiting callers
    // come first.
    for (let idle = this.idleCount - this.waitingCount; idle > 0; idle--) {
      super.connect((error, _client, release) => {
        if (!error) release(true);
      });
    }
  }

  /**
   * Replaces every connection because this one was found dead. The same cause has often ended others, which
   * may not have noticed yet. Connections that are found dead together trigger this once.
   */
  replaceAfter(dead: pg.ClientBase): void {
    if (this.outdated.has(dead)) return;
    this.outdated.add(dead);
    this.renew();
  }

  override end(): Promise<void>;
  override end(callback: () => void): void;
  override end(callback?: () => void): Promise<void> | void {
    this.path?.close();
    return callback ? super.end(callback) : super.end();
  }

  /** The number of connections that callers have released so far. */
  get returns(): number {
    return this.returned;
  }

  /** True if one more caller would wait too long for a connection. */
  get overloaded(): boolean {
    return !this.estimator.admits(this.waitingCount, this.inUse.size);
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    if (!this.overloaded) return callback ? super.connect(callback) : super.connect();
    const error = new AppError('OVERLOADED');
    if (!callback) return Promise.reject(error);
    process.nextTick(() => callback(error, undefined, () => {}));
  }
}

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;
