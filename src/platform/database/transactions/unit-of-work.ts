import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { requestContext } from '../../../common/context/request-context.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { backendsOf } from '../driver/data-source.js';
import { isTransient, lockTimeout } from '../database.errors.js';
import { LockWaitLimiter } from './lock-wait.limiter.js';
import { boundLoneWrites } from '../driver/statements/lone-writes.js';
import { LostAtStartError, Transaction } from './transaction.js';

const MAX_ATTEMPTS = 5;
const MAX_BACKOFF_MS = 50;

/**
 * Runs work atomically: everything inside `run` commits together. The transaction travels in
 * AsyncLocalStorage, so repositories find it and callers cannot forget to pass it on.
 */
@Injectable()
export class UnitOfWork {
  private readonly storage = new AsyncLocalStorage<Transaction>();
  private readonly sources = new AsyncLocalStorage<DataSource>();
  private readonly logger = new Logger(UnitOfWork.name);
  private readonly lockWaitLimiter: LockWaitLimiter;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @InjectConfig() config: Pick<Config, 'DB_POOL_MAX'>,
  ) {
    this.lockWaitLimiter = new LockWaitLimiter(config.DB_POOL_MAX);
    boundLoneWrites(dataSource, (statement, inAutocommit) => {
      const inTransaction = () => this.runWithRetries(() => statement(this.transaction.queryRunner), null);
      // Behind a pooler only PostgreSQL notices that a statement waits for a lock, and only in a transaction.
      const first = backendsOf(dataSource).blind ? inTransaction : inAutocommit;
      return this.runBounded(first, inTransaction);
    });
  }

  /** The manager of the current transaction, or else of the pool. Only repositories use it. */
  get manager(): EntityManager {
    return this.storage.getStore()?.manager ?? this.source.manager;
  }

  /** True when reads may be shared with other requests: outside of a transaction and on the usual connections. */
  get isShareable(): boolean {
    return this.storage.getStore() === undefined && this.sources.getStore() === undefined;
  }

  /** Runs `work` so that all its database access uses connections of `source`. */
  withDataSource<T>(source: DataSource, work: () => Promise<T>): Promise<T> {
    return this.sources.run(source, work);
  }

  /**
   * Runs `work` in one transaction (READ COMMITTED), or joins the current one. Reruns `work` after a
   * serialization failure or a deadlock, {@link MAX_ATTEMPTS} times in all, and once when a lock does not come
   * soon or the connection was already dead. `work` must therefore do only database work; everything else
   * belongs in `afterCommit` or `outside`.
   */
  run<T>(work: () => Promise<T>): Promise<T> {
    const transaction = this.storage.getStore();
    return transaction ? transaction.join(work) : this.runTopLevel(work, null);
  }

  /**
   * Runs one statement like `run`. Its COMMIT travels with it, so a transaction of its own takes a single round trip.
   * `statement` may defer others before it, and must send nothing after it.
   * @throws Error when another statement follows, because the server has already committed
   */
  runStatement<T>(statement: () => Promise<T>): Promise<T> {
    if (this.storage.getStore()) return statement();
    return this.run(async () => {
      this.transaction.commitWithNext();
      return statement();
    });
  }

  /**
   * Runs `work` like `run`, around use cases that open units of work themselves. These join it, and their
   * calls of `outside` still work. Every transaction it opens starts with `begin`.
   */
  runWith<T>(begin: () => Promise<void>, work: () => Promise<T>): Promise<T> {
    if (this.storage.getStore()) throw new Error('runWith cannot be called inside a unit of work');
    return this.runTopLevel(work, begin);
  }

  /**
   * Runs slow work, or work that must persist even if the rest fails, while no connection is held. Call it
   * before the first `run` of a use case.
   */
  outside<T>(preparation: () => Promise<T>): Promise<T> {
    const transaction = this.storage.getStore();
    if (!transaction) return preparation();
    // Outside the context, so that the preparation does not find the transaction that is interrupted.
    return transaction.interrupt(() => this.storage.exit(preparation));
  }

  /** The identity of the running transaction; null outside one. */
  get current(): object | null {
    return this.storage.getStore() ?? null;
  }

  /** Runs `effect` after the current transaction commits, and never if it does not commit. */
  afterCommit(effect: () => void | Promise<void>): void {
    const transaction = this.storage.getStore();
    if (!transaction) throw new Error('afterCommit cannot be called outside a unit of work');
    transaction.afterCommit.push(effect);
  }

  /** Runs `effect` like `afterCommit`, or at once when no transaction is open. */
  afterCommitOrNow(effect: () => void): void {
    const transaction = this.storage.getStore();
    if (transaction) transaction.afterCommit.push(effect);
    else effect();
  }

  private get transaction(): Transaction {
    const transaction = this.storage.getStore();
    if (!transaction) throw new Error('this cannot be called outside a unit of work');
    return transaction;
  }

  private get source(): DataSource {
    return this.sources.getStore() ?? this.dataSource;
  }

  /**
   * Runs a new transaction. A request has bounded lock waits; other work has its own connections or its own
   * bounds.
   */
  private runTopLevel<T>(work: () => Promise<T>, begin: (() => Promise<void>) | null): Promise<T> {
    const attempt = () => this.runWithRetries(work, begin);
    if (!requestContext.current()?.origin || this.source !== this.dataSource) return attempt();
    return this.runBounded(attempt, attempt);
  }

  private runBounded<T>(first: () => Promise<T>, again: () => Promise<T>): Promise<T> {
    const signal = requestContext.current()?.signal;
    return this.lockWaitLimiter.firstTry(first, (error) => {
      const timeout = lockTimeout(error);
      if (!timeout || signal?.aborted) throw error;
      return this.lockWaitLimiter.inTurn(timeout, signal, again);
    });
  }

  private async runWithRetries<T>(work: () => Promise<T>, begin: (() => Promise<void>) | null): Promise<T> {
    let restarted = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(new Transaction(this.source, begin), work);
      } catch (error) {
        if (error instanceof LostAtStartError) {
          if (restarted) throw error.cause;
          restarted = true;
          continue;
        }
        if (attempt === MAX_ATTEMPTS || !isTransient(error)) throw error;
        await sleep(Math.random() * MAX_BACKOFF_MS * attempt);
      }
    }
  }

  private async attempt<T>(transaction: Transaction, work: () => Promise<T>): Promise<T> {
    const result = await this.storage.run(transaction, () => transaction.run(work));
    for (const effect of transaction.afterCommit) {
      try {
        await effect();
      } catch (error) {
        // The commit has happened, so the caller must not see an error.
        this.logger.error(error, 'an effect after the commit failed');
      }
    }
    return result;
  }
}
