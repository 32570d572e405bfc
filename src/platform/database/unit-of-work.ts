import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { isTransient } from './database-errors.js';

const MAX_TRIES = 5;
const MAX_BACKOFF_MS = 50;

interface Transaction {
  readonly manager: EntityManager;
  readonly afterCommit: (() => void | Promise<void>)[];
}

/**
 * All or nothing: what runs inside `run` commits together. The transaction travels in
 * AsyncLocalStorage, so that repositories find it and nobody can forget to pass it on.
 */
@Injectable()
export class UnitOfWork {
  private readonly storage = new AsyncLocalStorage<Transaction>();
  private readonly logger = new Logger(UnitOfWork.name);

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Of the transaction that runs, else of the pool. Only repositories ask for it. */
  get manager(): EntityManager {
    return this.storage.getStore()?.manager ?? this.dataSource.manager;
  }

  /**
   * Runs `work` in one transaction (READ COMMITTED); inside another it joins that one. A
   * serialization failure or a deadlock starts `work` again, {@link MAX_TRIES} times in all, so it
   * must do nothing but database work: everything else belongs into `afterCommit`.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.storage.getStore()) return work();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(work);
      } catch (error) {
        if (attempt === MAX_TRIES || !isTransient(error)) throw error;
        await sleep(Math.random() * MAX_BACKOFF_MS * attempt);
      }
    }
  }

  /** Does `effect` once what runs now has committed, and never if it does not. */
  afterCommit(effect: () => void | Promise<void>): void {
    const transaction = this.storage.getStore();
    if (!transaction) throw new Error('afterCommit outside a unit of work');
    transaction.afterCommit.push(effect);
  }

  /** Like `afterCommit`; at once when nothing is under way that could be undone. */
  onceCommitted(effect: () => void): void {
    const transaction = this.storage.getStore();
    if (transaction) transaction.afterCommit.push(effect);
    else effect();
  }

  private async attempt<T>(work: () => Promise<T>): Promise<T> {
    const afterCommit: Transaction['afterCommit'] = [];
    const result = await this.dataSource.transaction((manager) =>
      this.storage.run({ manager, afterCommit }, work),
    );
    for (const effect of afterCommit) {
      try {
        await effect();
      } catch (error) {
        // The commit stands: the caller must not be told that it failed.
        this.logger.error(error, 'an effect after the commit failed');
      }
    }
    return result;
  }
}
