import pg from 'pg';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import { cancelQuery } from './cancel-query.js';

export type QueryObserver = (operation: string, seconds: number) => void;

/** What pg keeps on a connected client, and its types leave out. */
interface BackendKey {
  readonly processID: number;
  readonly secretKey: number;
}

const OPERATIONS: ReadonlySet<string> = new Set(['select', 'insert', 'update', 'delete', 'copy']);
const ENDS_WITHOUT_EFFECT = /^\s*(?:ROLLBACK|RELEASE)\b/i;

/**
 * The pool's connections. Every statement of the service passes here, whoever built it, so this is
 * where statements are timed and where a request whose time is over stops: what runs is cancelled,
 * and nothing more is sent for it, least of all its COMMIT.
 */
export function createClientClass(observe: QueryObserver): typeof pg.Client {
  class ServiceClient extends pg.Client {
    // pg.Client.query has six overloads; this passes through whatever it was given.
    override query(...args: unknown[]): never {
      const text = statementText(args[0]);
      const signal = requestContext.current()?.signal;
      if (signal?.aborted && !ENDS_WITHOUT_EFFECT.test(text)) return refuse(args) as never;
      const started = performance.now();
      let cancelled = false;
      const cancel = () => {
        cancelled = true;
        cancelQuery(backend(this));
      };
      signal?.addEventListener('abort', cancel);
      const settled = () => {
        signal?.removeEventListener('abort', cancel);
        // The cancel may arrive late, when the connection already serves somebody else: give it up.
        if (cancelled) void this.end();
        observe(operationOf(text), (performance.now() - started) / 1000);
      };
      const result: unknown = super.query(...(withCallback(args, settled) as [string]));
      if (result instanceof Promise) void result.then(settled, settled);
      return result as never;
    }
  }
  return ServiceClient;
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

function refuse(args: unknown[]): Promise<never> | undefined {
  const error = new AppError('TIMEOUT');
  const last = args.at(-1);
  if (typeof last !== 'function') return Promise.reject(error);
  process.nextTick(() => Reflect.apply(last, undefined, [error]));
  return undefined;
}

function backend(client: pg.Client) {
  const { processID, secretKey } = client as unknown as BackendKey;
  return { host: client.host, port: client.port, processId: processID, secretKey };
}
