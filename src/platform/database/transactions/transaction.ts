import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { isReleasedConnection } from '../database.errors.js';
import { type HoldingClient, isLostAtStart, originalFailure } from '../driver/statements/held-statements.js';
import { SqlRunner } from '../sql.runner.js';

/**
 * Thrown when the pooled connection was already dead. The server has done nothing, so the unit of work may start over
 * another one.
 */
export class LostAtStartError extends Error {
  override readonly name = 'LostAtStartError';

  constructor(override readonly cause: unknown) {
    super('the connection was lost before the transaction began');
  }
}

/** A running unit of work. It uses one connection, which it releases while it is interrupted. */
export class Transaction {
  readonly afterCommit: (() => void | Promise<void>)[] = [];
  private runner: QueryRunner | null = null;
  private client: HoldingClient | null = null;
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
    } catch (error) {
      if (this.isLostAtStart(error)) throw new LostAtStartError(error);
      throw originalFailure(error);
    } finally {
      await this.close();
    }
  }

  /** Sends the COMMIT together with the next statement. */
  commitWithNext(): void {
    this.client?.commitWithNext();
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
      // Once, over another connection.
      if (!this.isLostAtStart(error)) throw error;
      await this.close();
      await this.start();
    }
  }

  private async start(): Promise<void> {
    this.runner = this.dataSource.createQueryRunner();
    await this.runner.startTransaction();
    this.client = (await this.runner.connect()) as HoldingClient;
    await this.begin?.();
  }

  /** Tells whether a {@link LostAtStartError} must be thrown. */
  private isLostAtStart(error: unknown): boolean {
    return isLostAtStart(error) || (isReleasedConnection(error) && this.client?.hasUnsentBegin === true);
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
