import pg from 'pg';
import { type RequestContext, requestContext } from '../../../../common/context/request-context.js';
import { AppError } from '../../../../common/errors/app.error.js';
import type { BackendStateReader } from './backend-state.reader.js';
import { Cancellation, streamOf } from './cancellation.js';
import { CopyOut } from '../statements/copy-out.js';
import { isConnectionLost, isReadOnly } from '../../database.errors.js';
import type { PathMonitor } from './path.monitor.js';
import { lockTimeouts, MAX_LOCK_WAIT_MS } from '../../transactions/lock-wait.limiter.js';
import {
  BEGIN,
  COMMIT,
  type HeldStatement,
  heldFailure,
  HeldStatements,
  type HoldingClient,
  markLostAtStart,
  ROLLBACK,
  statementAfterCommit,
} from '../statements/held-statements.js';
import { preparedName } from '../statements/prepared.js';
import { isRead, mayWaitForLocks, operationOf, statementText } from '../statements/statement.js';
import { StatementBatch } from '../statements/statement.batch.js';
import { endStatementSpan, startStatementSpan } from '../statements/statement-span.js';
import { useFastParsers } from './type-parsers.js';

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

/** Takes the end of a statement. */
type Settled = (error?: unknown, answer?: unknown) => void;
type ConnectCallback = (error: Error | undefined) => void;

const ENDS_WITHOUT_EFFECT = /^\s*(?:ROLLBACK|RELEASE)\b/i;
/** Raised for a prepared statement when a column that it reads or returns has changed its type. */
const STALE_STATEMENT = '0A000';
const IDLE = 'I';
/** The answer to a statement that ends a transaction before anything was sent. */
const NO_RESULT = { rows: [], rowCount: null };

interface ReplacingPool extends pg.Pool {
  replaceAfter(dead: pg.ClientBase): void;
}

/** The pool of each client, which supplies another connection when a read is retried. */
export const poolOfClient = new WeakMap<pg.ClientBase, ReplacingPool>();

/**
 * Makes the client class of the pool's connections. Every statement of a request passes through it. It
 * measures statements and bounds their lock waits. When a request times out, it cancels the running statement
 * and sends nothing more for that request, especially no COMMIT. A transaction's start and the statements held
 * by `hold` travel together with the next statement, in one round trip.
 */
export function createClientClass({
  Client,
  observe,
  keepsStatements,
  path,
  backends,
}: ClientOptions): typeof pg.Client {
  class ServiceClient extends Client implements HoldingClient {
    private readonly held = new HeldStatements();

    constructor(config?: pg.ClientConfig) {
      super(config);
      useFastParsers(this);
    }

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

    hold(statement: HeldStatement): boolean {
      return this.held.add(statement);
    }

    get hasUnsentBegin(): boolean {
      return this.held.hasUnsentBegin;
    }

    commitWithNext(): void {
      this.held.commitsNext = true;
    }

    /**
     * Sends a statement, or holds it if it begins a transaction. A read is retried on a connection from
     * `others` when this connection turns out to be dead.
     */
    private send(args: unknown[], others: pg.Pool | undefined): unknown {
      const text = statementText(args[0]);
      const needless = this.held.isNeedlessEnd(text);
      if (needless || text === ROLLBACK) this.held.clear();
      if (needless) return Promise.resolve(NO_RESULT);
      if (this.held.committed) return refuse(args, statementAfterCommit());
      if (requestContext.current()?.signal.aborted && !ENDS_WITHOUT_EFFECT.test(text))
        return refuse(args, new AppError('TIMEOUT'));
      if (text === BEGIN) {
        this.held.begin(lockTimeouts.getStore());
        return Promise.resolve(NO_RESULT);
      }
      return this.held.all.length === 0 ? this.sendAlone(args, text, others) : this.sendWithHeld(args, text);
    }

    private sendAlone(args: unknown[], text: string, others: pg.Pool | undefined): unknown {
      if (lockTimeouts.getStore()?.refuses(text, args[1])) return refuse(args, lockTimedOut());
      const alone = this.isIdle();
      const cancellation = this.cancellation(alone, mayWaitForLocks(text));
      const settled = this.observed(text, null, cancellation);
      const name = nameOf(text);
      const sent = name === undefined ? args : [{ name, text, values: args[1] }, ...args.slice(2)];
      const result: unknown = super.query(...(withCallback(sent, settled) as [string]));
      if (result instanceof CopyOut)
        void result.done.then(
          () => settled(),
          (error: unknown) => settled(error),
        );
      if (!(result instanceof Promise)) return result;
      return result.then(
        (answer: unknown) => {
          settled(undefined, answer);
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

    /** Sends a statement of a transaction, and the held ones before it, in one round trip. */
    private async sendWithHeld(args: unknown[], text: string): Promise<unknown> {
      const { all: held, hasUnsentBegin, commitsNext } = this.held;
      const own = { text, values: args[1] as unknown[] | undefined };
      const statements: HeldStatement[] = [...held, own, ...(commitsNext ? [{ text: COMMIT }] : [])];
      const patience = lockTimeouts.getStore();
      const refused = statements.findIndex((each) => patience?.refuses(each.text, each.values));
      if (refused >= 0) throw heldFailure(held[refused], lockTimedOut());
      this.held.clear();
      const batch = new StatementBatch(
        statements.map((each) => ({ ...each, name: nameOf(each.text) })),
        held.length,
      );
      const mayWait = statements.some((each) => mayWaitForLocks(each.text));
      const cancellation = this.cancellation(false, mayWait);
      const settled = this.observed(text, statements, cancellation);
      super.query(batch as unknown as pg.Query);
      try {
        const answer = await batch.done;
        settled(undefined, answer);
        this.held.committed = commitsNext;
        return answer;
      } catch (error) {
        settled(error);
        if (isStale(error)) void this.end();
        // The server has received nothing, or has not answered and cannot have committed. The transaction may
        // begin again over another connection.
        const mayHaveCommitted = commitsNext || text === COMMIT;
        if (hasUnsentBegin && batch.index === 0 && !mayHaveCommitted && isConnectionLost(error))
          markLostAtStart(error);
        throw heldFailure(held[batch.index], cancellation.timedOut ? lockTimedOut(error) : error);
      }
    }

    /**
     * Starts to watch a statement that is about to be sent, for the end of its request or of its lock wait.
     * `alone` is true outside a transaction, where the server has no lock timeout.
     */
    private cancellation(alone: boolean, mayWait: boolean): Cancellation {
      const request = requestContext.current();
      const patience = lockTimeouts.getStore();
      const limitMs = patience ? patience[alone ? 'milliseconds' : 'statementMs'] : ownLimitMs(request);
      const limit = limitMs !== null && mayWait ? { milliseconds: limitMs, backends } : null;
      return new Cancellation(this, request?.signal, limit);
    }

    /**
     * Starts the measurement of a statement. `batch` is null, or all statements that travel with it.
     * @returns the function to call when the statement is over, with the error if it failed, or its result
     */
    private observed(
      text: string,
      batch: readonly HeldStatement[] | null,
      cancellation: Cancellation,
    ): Settled {
      const span = startStatementSpan(text, batch);
      const started = performance.now();
      const ended = path.begin(this);
      return (error, answer) => {
        cancellation.end();
        if (span) endStatementSpan(span, error, answer);
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
  const nameOf = (text: string) => (keepsStatements ? preparedName(text) : undefined);
  return ServiceClient;
}

/** Wraps the callback that pg.Pool.query, unlike TypeORM, passes as the last argument. */
function withCallback(args: unknown[], settled: Settled): unknown[] {
  const last = args.at(-1);
  if (typeof last !== 'function') return args;
  return [
    ...args.slice(0, -1),
    (...results: unknown[]) => {
      settled(...results);
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
