import type { DataSource, QueryRunner } from 'typeorm';
import { requestContext } from '../../../../common/context/request-context.js';
import { mayWaitForLocks } from './statement.js';

/** Sends one statement with the given runner. */
export type Statement<T> = (runner: QueryRunner) => Promise<T>;

/** Runs a statement, possibly more than once. `inAutocommit` sends it on a separate connection. */
export type RunLone = <T>(statement: Statement<T>, inAutocommit: () => Promise<T>) => Promise<T>;

type Query = (text: string, ...rest: unknown[]) => Promise<unknown>;

const queryOf = (runner: QueryRunner): Query => runner.query.bind(runner) as Query;

/**
 * Passes to `runLone` each statement that a request sends outside a transaction and that may wait for a lock.
 * The bounds on lock waits then apply to it as to a transaction.
 */
export function boundLoneWrites(dataSource: DataSource, runLone: RunLone): void {
  const create = dataSource.createQueryRunner.bind(dataSource);
  dataSource.createQueryRunner = (mode) => {
    const runner = create(mode);
    const query = queryOf(runner);
    const bounded: Query = (text, ...rest) => {
      const isLone = !runner.isTransactionActive && requestContext.current()?.origin && mayWaitForLocks(text);
      if (!isLone) return query(text, ...rest);
      return runLone(
        (other) => queryOf(other)(text, ...rest),
        async () => {
          // A new runner for each try, so that no connection is held between them.
          const own = create(mode);
          try {
            return await queryOf(own)(text, ...rest);
          } finally {
            await own.release();
          }
        },
      );
    };
    return Object.assign(runner, { query: bounded });
  };
}
