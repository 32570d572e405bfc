import pg from 'pg';
import { AppError } from '../../common/errors/app-error.js';
import { WaitingLine } from './waiting-line.js';

/** The pool, with a bound on its queue: a caller that would wait too long is refused at once. */
export class ServicePool extends pg.Pool {
  private readonly line: WaitingLine;

  constructor(options?: pg.PoolConfig) {
    super(options);
    this.line = new WaitingLine(this.options.max ?? 10);
    // While a connection is in use, or ends, the pool does not listen to it: what the server says by then
    // would end the process. Whoever waits for an answer is told of it anyway.
    this.on('connect', (client) => client.on('error', () => {}));
    this.on('release', () => this.line.returned(this.waitingCount));
  }

  /** Whether one more caller would wait too long for a connection. */
  get overloaded(): boolean {
    return !this.line.admits(this.waitingCount);
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
