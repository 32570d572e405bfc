import type { Duplex } from 'node:stream';
import pg from 'pg';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import { cancelQuery, type CancelTarget } from './cancel-query.js';

export type QueryObserver = (operation: string, seconds: number) => void;

/** What pg keeps on a connected client, and its types leave out. */
interface Backend {
  readonly processID: number;
  readonly secretKey: number;
  readonly connection: { readonly stream: Duplex };
}

/** A server that has not let go of a cancelled query by then is not heard from: the path to it is dead. */
const CANCEL_GRACE_MS = 500;

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
      let giveUp: NodeJS.Timeout | undefined;
      const cancel = () => {
        cancelQuery(cancelTarget(this));
        giveUp = setTimeout(() => backend(this).connection.stream.destroy(), CANCEL_GRACE_MS);
      };
      signal?.addEventListener('abort', cancel);
      const done = () => {
        clearTimeout(giveUp);
        signal?.removeEventListener('abort', cancel);
        observe(operationOf(text), (performance.now() - started) / 1000);
      };
      const result: unknown = Reflect.apply(super.query, this, withCallback(args, done));
      if (result instanceof Promise) void result.then(done, done);
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
function withCallback(args: unknown[], done: () => void): unknown[] {
  const last = args.at(-1);
  if (typeof last !== 'function') return args;
  return [
    ...args.slice(0, -1),
    (...results: unknown[]) => {
      done();
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

const backend = (client: pg.Client): Backend => client as unknown as Backend;

function cancelTarget(client: pg.Client): CancelTarget {
  const { processID, secretKey } = backend(client);
  return { host: client.host, port: client.port, processId: processID, secretKey };
}
