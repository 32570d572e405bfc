import pg from 'pg';
import { AppError } from '../../common/errors/app-error.js';

/** Callers that may wait, for each connection of the pool; past it waiting would only end in a time-out. */
const WAITING_PER_CONNECTION = 50;

/** The pool, with a bound on its queue: past it a caller is told to come back, at once. */
export class ServicePool extends pg.Pool {
  constructor(options?: pg.PoolConfig) {
    super(options);
    // While a connection is in use, or ends, the pool does not listen to it: what the server says by then
    // would end the process. Whoever waits for an answer is told of it anyway.
    this.on('connect', (client) => client.on('error', () => {}));
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const bound = (this.options.max ?? 10) * WAITING_PER_CONNECTION;
    if (this.waitingCount < bound) return callback ? super.connect(callback) : super.connect();
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
