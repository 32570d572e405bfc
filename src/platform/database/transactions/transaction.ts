import { type DataSource, type EntityManager, QueryFailedError, type QueryRunner } from 'typeorm';
import { isConnectionLost } from '../database.errors.js';
import { SqlRunner } from '../sql.runner.js';

/** A running unit of work. It uses one connection, which it releases while it is interrupted. */
export class Transaction {
  readonly afterCommit: (() => void | Promise<void>)[] = [];
  private runner: QueryRunner | null = null;
  private joined = 0;

  /** Creates a transaction. `begin` runs at its start; null means that it must not be interrupted. */
  constructor(
    private readonly dataSource: DataSource,
    private readonly begin: (() => Promise<void>) | null,
  ) {}

  get manager(): EntityManager {
    return this.queryRunner.manager;
  }

  get queryRunner(): QueryRunner {
    if (!this.runner) throw new Error('the transaction is over');
    return this.runner;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      await this.open();
      const result = await work();
      await this.runner?.commitTransaction();
      return result;
    } finally {
      await this.close();
    }
  }

  async join<T>(work: () => Promise<T>): Promise<T> {
    this.joined++;
    try {
      return await work();
    } finally {
      this.joined--;
    }
  }

  /** Ends the transaction, runs `preparation`, and begins again. Throws if something was already written. */
  async interrupt<T>(preparation: () => Promise<T>): Promise<T> {
    if (!this.begin || this.joined > 0) throw new Error('cannot interrupt inside a unit of work');
    const { written } = await new SqlRunner(this).one<{ written: boolean }>(
      'SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS written',
    );
    if (written) throw new Error('cannot interrupt a transaction after something was written');
    await this.close();
    try {
      return await preparation();
    } finally {
      await this.open();
    }
  }

  private async open(): Promise<void> {
    try {
      await this.start();
    } catch (error) {
      // The pooled connection was dead. Nothing was done over it, so another one may be tried.
      if (!(error instanceof QueryFailedError && isConnectionLost(error))) throw error;
      await this.close();
      await this.start();
    }
    await this.begin?.();
  }

  private start(): Promise<void> {
    this.runner = this.dataSource.createQueryRunner();
    return this.runner.startTransaction();
  }

  /** Releases the connection and rolls back anything that was not committed. */
  private async close(): Promise<void> {
    const { runner } = this;
    this.runner = null;
    try {
      if (runner?.isTransactionActive) await runner.rollbackTransaction();
    } catch {
      // The connection is broken and the pool replaces it; the server rolls back.
    } finally {
      await runner?.release();
    }
  }
}
