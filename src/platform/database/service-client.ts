import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import { cancelQuery, type CancelTarget } from './cancel-query.js';
import { CopyOut } from './copy-out.js';
import { preparedName } from './prepared.js';

export type QueryObserver = (operation: string, seconds: number) => void;

/** What pg keeps on a connected client, and its types leave out. */
interface Backend {
  readonly processID: number;
  readonly secretKey: number;
  readonly ssl: ConnectionOptions | false;
  readonly connection: { readonly stream: Duplex };
}

/** A server that has not let go of a cancelled query by then is not heard from: the path to it is dead. */
const CANCEL_GRACE_MS = 500;

const OPERATIONS: ReadonlySet<string> = new Set(['select', 'insert', 'update', 'delete', 'copy']);
const ENDS_WITHOUT_EFFECT = /^\s*(?:ROLLBACK|RELEASE)\b/i;
/** Of a kept statement: a column that it reads or returns has got another type. */
const STALE_STATEMENT = '0A000';

/**
 * The pool's connections. Every statement of a request passes here, whoever built it, so this is
 * where statements are timed and where a request whose time is over stops: what runs is cancelled,
 * and nothing more is sent for it, least of all its COMMIT. Those marked as `prepared` are kept by each
 * connection, unless `keepsStatements` is off: not every pooler knows them.
 */
export function createClientClass(
  observe: QueryObserver,
  keepsStatements: boolean,
  Client: typeof pg.Client,
): typeof pg.Client {
  class ServiceClient extends Client {
    // pg.Client.query has six overloads; this passes through whatever it was given.
    override query(...args: unknown[]): never {
      const text = statementText(args[0]);
      const signal = requestContext.current()?.signal;
      if (signal?.aborted && !ENDS_WITHOUT_EFFECT.test(text)) return refuse(args) as never;
      const started = performance.now();
      const release = signal && cancelOnAbort(this, signal);
      const settled = () => {
        release?.();
        observe(operationOf(text), (performance.now() - started) / 1000);
      };
      const name = keepsStatements ? preparedName(text) : undefined;
      const sent = name === undefined ? args : [{ name, text, values: args[1] }, ...args.slice(2)];
      const result: unknown = super.query(...(withCallback(sent, settled) as [string]));
      if (result instanceof CopyOut) void result.done.then(settled, settled);
      if (!(result instanceof Promise)) return result as never;
      void result.then(settled, (error: unknown) => {
        settled();
        if (name !== undefined && isStale(error)) void this.end();
      });
      return result as never;
    }
  }
  return ServiceClient;
}

/** Cancels what the client runs when the signal aborts, until the returned function is called. */
function cancelOnAbort(client: pg.Client, signal: AbortSignal): () => void {
  let giveUp: NodeJS.Timeout | undefined;
  const cancel = () => {
    cancelQuery(cancelTarget(client));
    giveUp = setTimeout(() => backend(client).connection.stream.destroy(), CANCEL_GRACE_MS);
  };
  signal.addEventListener('abort', cancel);
  return () => {
    signal.removeEventListener('abort', cancel);
    clearTimeout(giveUp);
    // The cancel may arrive late, when the connection already serves somebody else: part with it.
    if (giveUp) void client.end();
  };
}

/** The first word decides; `WITH` counts as a select. The set is fixed: it becomes a metric label. */
export function operationOf(text: string): string {
  const word = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
  if (word === 'with') return 'select';
  return OPERATIONS.has(word) ? word : 'other';
}

function statementText(query: unknown): string {
  if (typeof query === 'string') return query;
  if (typeof query !== 'object' || query === null || !('text' in query)) return '';
  return typeof query.text === 'string' ? query.text : '';
}

/** pg.Pool.query, unlike TypeORM, hands over a callback as the last argument. */
function withCallback(args: unknown[], settled: () => void): unknown[] {
  const last = args.at(-1);
  if (typeof last !== 'function') return args;
  return [
    ...args.slice(0, -1),
    (...results: unknown[]) => {
      settled();
      Reflect.apply(last, undefined, results);
    },
  ];
}

function refuse(args: unknown[]): Promise<never> | CopyOut | undefined {
  const error = new AppError('TIMEOUT');
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

const isStale = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === STALE_STATEMENT;

const backend = (client: pg.Client): Backend => client as unknown as Backend;

function cancelTarget(client: pg.Client): CancelTarget {
  const { processID, secretKey, ssl } = backend(client);
  return { host: client.host, port: client.port, ssl: ssl || null, processId: processID, secretKey };
}
