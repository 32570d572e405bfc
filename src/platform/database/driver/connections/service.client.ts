import pg from 'pg';
import { type RequestContext, requestContext } from '../../../../common/context/request-context.js';
import { AppError } from '../../../../common/errors/app.error.js';
import type { BackendStateReader } from './backend-state.reader.js';
import { Cancellation, streamOf } from './cancellation.js';
import { CopyOut } from '../statements/copy-out.js';
import { isConnectionLost, isReadOnly } from '../../database.errors.js';
import type { PathMonitor } from './path.monitor.js';
import { lockTimeouts, MAX_LOCK_WAIT_MS } from '../../transactions/lock-wait.limiter.js';
import { preparedName } from '../statements/prepared.js';
import { isRead, mayWaitForLocks, operationOf, statementText } from '../statements/statement.js';

export type QueryObserver = (operation: string, seconds: number) => void;

interface ClientOptions {
  /** The client class that connects, with the TLS mode of the address. */
  readonly Client: typeof pg.Client;
  readonly observe: QueryObserver;
  /** True if each connection keeps statements marked as `prepared`, which not every pooler supports. */
  readonly keepsStatements: boolean;
  readonly path: PathMonitor;
  readonly backends: BackendStateReader;
}

type ConnectCallback = (error: Error | undefined) => void;

const BEGIN = 'START TRANSACTION';
const ENDS_WITHOUT_EFFECT = /^\s*(?:ROLLBACK|RELEASE)\b/i;
/** Raised for a prepared statement when a column that it reads or returns has changed its type. */
const STALE_STATEMENT = '0A000';
const IDLE = 'I';

interface ReplacingPool extends pg.Pool {
  replaceAfter(dead: pg.ClientBase): void;
}

/** The pool of each client, which supplies another connection when a read is retried. */
export const poolOfClient = new WeakMap<pg.ClientBase, ReplacingPool>();

/**
 * Makes the client class of the pool's connections. Every statement of a request passes through it. It
 * measures statements and bounds their lock waits. When a request times out, it cancels the running statement
 * and sends nothing more for that request, especially no COMMIT.
 */
export function createClientClass({
  Client,
  observe,
  keepsStatements,
  path,
  backends,
}: ClientOptions): typeof pg.Client {
  class ServiceClient extends Client {
    override connect(): Promise<pg.Client>;
    override connect(callback: ConnectCallback): void;
    override connect(callback?: ConnectCallback): Promise<pg.Client> | void {
      if (!callback) return super.connect();
      const { lost } = path;
      if (lost) return process.nextTick(callback, lost);
      path.add(this);
      const settled = path.begin(null);
      super.connect((error: Error | undefined) => {
        settled(!error);
        // pg emits no `end` for a client that failed before it had a socket.
        if (error) path.remove(this);
        callback(error);
      });
    }

    // pg.Client.query has six overloads; this passes all arguments through.
    override query(...args: unknown[]): never {
      return this.send(args, poolOfClient.get(this)) as never;
    }

    /**
     * Sends a statement. A read is retried on a connection from `others` when this connection turns out to be
     * dead.
     */
    private send(args: unknown[], others: pg.Pool | undefined): unknown {
      const text = statementText(args[0]);
      const request = requestContext.current();
      const patience = lockTimeouts.getStore();
      if (request?.signal.aborted && !ENDS_WITHOUT_EFFECT.test(text))
        return refuse(args, new AppError('TIMEOUT'));
      if (patience?.refuses(text, args[1])) return refuse(args, lockTimedOut());
      const alone = this.isIdle();
      const limitMs = patience ? patience[alone ? 'milliseconds' : 'statementMs'] : ownLimitMs(request);
      const limit = limitMs !== null && mayWaitForLocks(text) ? { milliseconds: limitMs, backends } : null;
      const cancellation = new Cancellation(this, request?.signal, limit);
      const settled = this.observed(text, cancellation);
      const began =
        text === BEGIN && patience && `${BEGIN}; SET LOCAL lock_timeout = ${patience.milliseconds}`;
      const name = keepsStatements ? preparedName(text) : undefined;
      const sent = name === undefined ? args : [{ name, text, values: args[1] }, ...args.slice(2)];
      const result: unknown = super.query(...(withCallback(began ? [began] : sent, settled) as [string]));
      if (result instanceof CopyOut) void result.done.then(() => settled(), settled);
      if (!(result instanceof Promise)) return result;
      return result.then(
        (answer: unknown) => {
          settled();
          return answer;
        },
        (error: unknown) => {
          settled(error);
          if (name !== undefined && isStale(error)) void this.end();
          if (others && alone && isRead(text) && isConnectionLost(error))
            return this.readElsewhere(args, others);
          throw cancellation.timedOut ? lockTimedOut(error) : error;
        },
      );
    }

    /**
     * Starts the measurement of a statement.
     * @returns the function to call when the statement is over, with the error if it failed
     */
    private observed(text: string, cancellation: Cancellation): (error?: unknown) => void {
      const started = performance.now();
      const ended = path.begin(this);
      return (error) => {
        cancellation.end();
        const lost = isConnectionLost(error);
        ended(!lost);
        observe(operationOf(text), (performance.now() - started) / 1000);
        // Ends the connection, because another one may reach a server that is up and accepts writes.
        if (isReadOnly(error)) void this.end();
        // Destroyed with an error, so that its holder releases it now: a read is about to take another one.
        if (!lost) return;
        streamOf(this).destroy(error as Error);
        poolOfClient.get(this)?.replaceAfter(this);
      };
    }

    private async readElsewhere(args: unknown[], others: pg.Pool): Promise<unknown> {
      const client = (await others.connect()) as pg.PoolClient & ServiceClient;
      let broken = true;
      try {
        const answer = await client.send(args, undefined);
        broken = false;
        return answer;
      } finally {
        client.release(broken);
      }
    }

    private isIdle(): boolean {
      return this.getTransactionStatus() === IDLE;
    }
  }
  return ServiceClient;
}

/** Wraps the callback that pg.Pool.query, unlike TypeORM, passes as the last argument. */
function withCallback(args: unknown[], settled: (error: unknown) => void): unknown[] {
  const last = args.at(-1);
  if (typeof last !== 'function') return args;
  return [
    ...args.slice(0, -1),
    (...results: unknown[]) => {
      settled(results[0]);
      Reflect.apply(last, undefined, results);
    },
  ];
}

function refuse(args: unknown[], error: Error): Promise<never> | CopyOut | undefined {
  const [query] = args;
  if (query instanceof CopyOut) {
    query.handleError(error);
    return query;
  }
  const last = args.at(-1);
  if (typeof last !== 'function') return Promise.reject(error);
  process.nextTick(() => Reflect.apply(last, undefined, [error]));
  return undefined;
}

/** Returns the lock limit of statements that a request sends outside the unit of work. */
const ownLimitMs = (request: RequestContext | undefined): number | null =>
  request?.origin ? MAX_LOCK_WAIT_MS : null;

/** Returns the error that PostgreSQL raises when `lock_timeout` expires. */
const lockTimedOut = (cause?: unknown): Error =>
  Object.assign(new Error('canceling statement due to lock timeout', { cause }), { code: '55P03' });

const isStale = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === STALE_STATEMENT;
