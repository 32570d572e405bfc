import type { EntityManager } from 'typeorm';
import type { HoldingClient } from './driver/statements/held-statements.js';

/** Anything with an entity manager of TypeORM: the unit of work, a data source, a query runner. */
interface ManagerSource {
  readonly manager: EntityManager;
}

/**
 * Runs hand-written SQL and returns typed results. TypeORM's own `query()` returns `any`, in a shape that depends on
 * the command: rows for SELECT and INSERT, `[rows, count]` for UPDATE and DELETE.
 *
 * Nest injects one that uses the current unit of work. Without Nest: `new SqlRunner(dataSource)` or
 * `new SqlRunner({ manager })`. Each call is exactly one statement.
 */
export class SqlRunner {
  constructor(private readonly source: ManagerSource) {}

  /** Returns all rows that a SELECT finds or that RETURNING lists. */
  async rows<Row>(statement: string, parameters?: readonly unknown[]): Promise<Row[]> {
    const { records } = await this.send(statement, parameters);
    return records as Row[];
  }

  /** Returns the first row. Throws if the statement has none, for statements that always return a row. */
  async one<Row>(statement: string, parameters?: readonly unknown[]): Promise<Row> {
    const row = await this.maybeOne<Row>(statement, parameters);
    if (row === null) throw new Error('the statement returned no row');
    return row;
  }

  /** Returns the first row, or null if there is none. */
  async maybeOne<Row>(statement: string, parameters?: readonly unknown[]): Promise<Row | null> {
    const [row] = await this.rows<Row>(statement, parameters);
    return row ?? null;
  }

  /** Returns the number of rows that the statement inserted, updated, deleted or, for a SELECT, returned. */
  async affected(statement: string, parameters?: readonly unknown[]): Promise<number> {
    const { affected } = await this.send(statement, parameters);
    return affected ?? 0;
  }

  /** Runs a statement whose result is not needed. */
  async execute(statement: string, parameters?: readonly unknown[]): Promise<void> {
    await this.send(statement, parameters);
  }

  /**
   * Runs a statement whose result is not needed. Within a unit of work it is sent together with the next
   * statement or the COMMIT, which then fails if it fails. Otherwise it runs at once.
   * @param translate returns the error to throw in place of the statement's own, or null to keep that one
   */
  async defer(
    statement: string,
    parameters: readonly unknown[] = [],
    translate: (error: unknown) => Error | null = () => null,
  ): Promise<void> {
    const runner = this.source.manager.queryRunner;
    if (runner?.isTransactionActive) {
      const client = (await runner.connect()) as HoldingClient;
      if (client.hold({ text: statement, values: parameters, translate })) return;
    }
    try {
      await this.send(statement, parameters);
    } catch (error) {
      throw translate(error) ?? error;
    }
  }

  private async send(statement: string, parameters: readonly unknown[] | undefined) {
    const { manager } = this.source;
    const runner = manager.queryRunner ?? manager.dataSource.createQueryRunner();
    try {
      return await runner.query(statement, parameters && [...parameters], true);
    } finally {
      if (!manager.queryRunner) await runner.release();
    }
  }
}
