import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { requestContext } from '../../../common/context/request-context.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { PeriodicTask } from '../../../platform/lifecycle/periodic-task.js';
import { LOST_AFTER_SECONDS, SignInFailuresRepository } from './sign-in-failures.repository.js';
import { AttemptQueue } from './attempt.queue.js';

const HEARTBEAT_MS = 1000;
/** The interval of the signs of life. Several fit into the time after which an attempt counts as lost. */
const KEEP_ALIVE_INTERVAL_MS = (LOST_AFTER_SECONDS * 1000) / 6;
/** The time limit for storing an outcome. After it, the outcome is stored later. */
const SETTLE_LIMIT_MS = 5000;
/**
 * The maximum number of outcomes that wait for the database. Beyond it the oldest become failures, as after a
 * crash.
 */
const MAX_UNSETTLED = 10_000;

type Outcome = 'released' | 'failed';

/**
 * An attempt that holds a place in the allowances until it is settled. The caller of `begin` must call `end`
 * in a `finally` block.
 */
export class AttemptInFlight {
  private settled = false;

  constructor(
    private readonly attempts: SignInAttemptsService,
    readonly id: string,
    /** The waiting lines to wake once the attempt is settled. */
    readonly waitingLines: readonly string[],
  ) {}

  /** Waits for the verdict. Counts a wrong password at once, even after the request has timed out. */
  async judge(matches: Promise<boolean>): Promise<boolean> {
    const matched = await matches;
    if (!matched) await this.fail();
    return matched;
  }

  /** Counts the attempt as a failure. */
  async fail(): Promise<void> {
    if (this.settled) return;
    this.settled = true;
    await this.attempts.settle(this, 'failed');
  }

  /** Gives the place back. Inside a transaction this takes effect only on commit. */
  async succeed(): Promise<void> {
    if (this.settled) return;
    await this.attempts.release(this, () => (this.settled = true));
  }

  /** Forgets an attempt that claimed nothing. */
  abandon(): void {
    this.settled = true;
    this.attempts.abandon(this);
  }

  /**
   * Gives the place back unless the attempt is settled. An attempt that was not judged, or that matched, is
   * no failure.
   */
  async end(): Promise<void> {
    if (this.settled) return;
    this.settled = true;
    await this.attempts.settle(this, 'released');
  }
}

/**
 * Tracks the attempts in flight on this instance. Reports them as alive to the database, retries
 * outcomes that the database could not store, and counts the lost attempts of crashed instances as failures.
 */
@Injectable()
export class SignInAttemptsService implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(SignInAttemptsService.name);
  private readonly inFlight = new Set<string>();
  private readonly unsettled = new Map<string, { outcome: Outcome; waitingLines: readonly string[] }>();
  /** True if attempts began since the last check for lost ones. An idle service sends no queries. */
  private active = false;
  private checkedLostAt = Number.NEGATIVE_INFINITY;
  private readonly task = new PeriodicTask(
    HEARTBEAT_MS,
    () => this.heartbeat(),
    (error) => this.logger.warn(error, 'failed to update the sign-in attempts in flight'),
  );
  readonly lines = new AttemptQueue();

  constructor(
    private readonly failures: SignInFailuresRepository,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  onModuleInit(): void {
    this.task.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.task.stop();
  }

  /** Registers an attempt that is about to claim its places. */
  begin(id: string, lines: readonly string[]): AttemptInFlight {
    this.inFlight.add(id);
    this.active = true;
    return new AttemptInFlight(this, id, lines);
  }

  /** Forgets an attempt that claimed nothing. */
  abandon({ id }: AttemptInFlight): void {
    this.inFlight.delete(id);
  }

  /** Gives the places back. Inside a transaction they are free once it commits. */
  async release({ id, waitingLines }: AttemptInFlight, settled: () => void): Promise<void> {
    await this.failures.release([id]);
    this.unitOfWork.afterCommitOrNow(() => {
      settled();
      this.remove(id, waitingLines);
    });
  }

  /**
   * Stores the outcome and never throws. An outcome that cannot be stored now is stored later and keeps its
   * place until then.
   */
  async settle({ id, waitingLines }: AttemptInFlight, outcome: Outcome): Promise<void> {
    try {
      // Runs apart from the request, which may be over its time limit and then runs no statements. Lock waits
      // stay as short as in a request.
      await requestContext.share(SETTLE_LIMIT_MS, () => this.write([id], outcome));
      this.remove(id, waitingLines);
    } catch (error) {
      this.logger.warn(error, 'failed to store the outcome of a sign-in attempt; retrying');
      this.unsettled.set(id, { outcome, waitingLines });
      this.dropOldestUnsettled();
    }
  }

  private write(ids: readonly string[], outcome: Outcome): Promise<void> {
    return outcome === 'failed' ? this.failures.fail(ids) : this.failures.release(ids);
  }

  private remove(id: string, waitingLines: readonly string[]): void {
    this.inFlight.delete(id);
    this.lines.wake(waitingLines);
  }

  private dropOldestUnsettled(): void {
    if (this.unsettled.size <= MAX_UNSETTLED) return;
    const [oldest] = this.unsettled.keys();
    this.unsettled.delete(String(oldest));
    this.inFlight.delete(String(oldest));
  }

  private async heartbeat(): Promise<void> {
    await this.settleLate();
    // Attempts that wait give up after five seconds, and a lost instance may be what they wait for.
    const isDue = this.lines.size > 0 || performance.now() - this.checkedLostAt >= KEEP_ALIVE_INTERVAL_MS;
    if (this.active && isDue) await this.failLostAttempts();
  }

  private async failLostAttempts(): Promise<void> {
    this.checkedLostAt = performance.now();
    if (this.inFlight.size > 0) await this.failures.keepAlive([...this.inFlight]);
    await this.failures.failLost();
    this.active = this.inFlight.size > 0;
  }

  private async settleLate(): Promise<void> {
    for (const outcome of ['failed', 'released'] as const) {
      const late = [...this.unsettled].filter(([, each]) => each.outcome === outcome);
      if (late.length === 0) continue;
      await this.write(
        late.map(([id]) => id),
        outcome,
      );
      for (const [id, { waitingLines }] of late) {
        this.unsettled.delete(id);
        this.remove(id, waitingLines);
      }
    }
  }
}
