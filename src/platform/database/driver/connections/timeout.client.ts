import type pg from 'pg';
import { streamOf } from './cancellation.js';

/** Short compared with the time that a shutdown may take. */
const CLOSE_TIMEOUT_MS = 1000;

/**
 * Makes a client class that closes its connection when a statement is not answered within `limitMs`, or a
 * goodbye within a second. If packets vanish on the path, no statement fails and the driver would wait
 * forever. The driver's own `query_timeout` is not enough, because it fails the statement but leaves the
 * connection for the next one. The limit suits pools that send only short statements.
 */
export function createTimeoutClientClass(Client: typeof pg.Client, limitMs: number): typeof pg.Client {
  return class ImpatientClient extends Client {
    // pg.Client.query has six overloads; this passes all arguments through.
    override query(...args: unknown[]): never {
      const answered = giveUpAfter(this, limitMs);
      const last = args.at(-1);
      if (typeof last === 'function') {
        args[args.length - 1] = (...results: unknown[]) => {
          answered();
          Reflect.apply(last, undefined, results);
        };
      }
      const result: unknown = super.query(...(args as [string]));
      if (result instanceof Promise) void result.then(answered, answered);
      return result as never;
    }

    override end(): Promise<void>;
    override end(callback: (error: Error) => void): void;
    override end(callback?: (error: Error) => void): Promise<void> | void {
      const ended = giveUpAfter(this, CLOSE_TIMEOUT_MS);
      if (!callback) return super.end().finally(ended);
      super.end((error) => {
        ended();
        callback(error);
      });
    }
  };
}

/**
 * Destroys the connection after `limitMs`.
 * @returns the function to call when the server has answered in time
 */
function giveUpAfter(client: pg.Client, limitMs: number): () => void {
  let waiting = true;
  const giveUp = () => {
    if (waiting) streamOf(client).destroy(new Error(`the database did not answer within ${limitMs} ms`));
  };
  // After a pause of this process the answer may already have arrived, so it is read before the timeout
  // counts.
  const timer = setTimeout(() => setImmediate(giveUp), limitMs);
  return () => {
    waiting = false;
    clearTimeout(timer);
  };
}
