import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { newId } from '../../common/ids.js';
import { UnitOfWork } from '../database/unit-of-work.js';
import type { Answer } from '../http/answer.js';
import { IdempotencyRecords, type KeyedRequest, stillRunning } from './idempotency-records.js';
import { IdempotencyRepository } from './idempotency.repository.js';

/** Without a beat for so long the key is anybody's: its instance is gone. */
const HELD_SECONDS = 10;
const BEAT_MS = 2000;

/** A key that this instance holds while the body of its request comes. */
interface Claim {
  readonly keyed: KeyedRequest;
  readonly holder: string;
  /** Of the unit of work that has bound it; null before. */
  answer: Answer | null;
}

/**
 * Holds the key of a request whose body is streamed. No transaction lasts as long as an upload, so a row claims the
 * key, in a transaction of its own; beats keep it while the upload lasts.
 */
@Injectable()
export class IdempotencyClaims {
  private readonly storage = new AsyncLocalStorage<Claim>();

  constructor(
    private readonly repository: IdempotencyRepository,
    private readonly records: IdempotencyRecords,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Runs `work` while it holds the key. `work` binds the key to what it makes; if it fails, the key is free again.
   * @returns the answer to give, and whether it was given before
   * @throws AppError `CONFLICT` while somebody else holds the key
   */
  async hold(
    keyed: KeyedRequest,
    work: () => Promise<unknown>,
  ): Promise<{ readonly answer: Answer; readonly again: boolean }> {
    const claim: Claim = { keyed, holder: newId(), answer: null };
    const before = await this.claim(claim);
    if (before) return { answer: before, again: true };
    const over = new AbortController();
    // The upload may take longer than a request has.
    const beats = requestContext.leave(() => this.keep(claim, over.signal));
    try {
      await this.storage.run(claim, work);
      if (!claim.answer) throw new Error('a request that held its Idempotency-Key has not bound it');
      return { answer: claim.answer, again: false };
    } catch (error) {
      // If this fails, too, the claim expires by itself.
      await requestContext.leave(() => this.release(claim)).catch(() => {});
      throw error;
    } finally {
      over.abort();
      await beats;
    }
  }

  /**
   * In the unit of work of the effect, keeps the answer to be given whenever the request is repeated. Does nothing for a
   * request without a key.
   * @throws AppError `CONFLICT` when another instance has taken the key for that of a dead one
   */
  async bind(answer: Answer): Promise<void> {
    const claim = this.storage.getStore();
    if (!claim) return;
    if (!(await this.release(claim))) throw stillRunning();
    await this.records.keep(claim.keyed, answer);
    claim.answer = answer;
  }

  /** Claims first and looks then: whoever binds the key meanwhile is waited for, and seen. */
  private claim({ keyed, holder }: Claim): Promise<Answer | null> {
    return this.unitOfWork.run(async () => {
      if (!(await this.repository.claim(keyed.scope, holder, HELD_SECONDS))) throw stillRunning();
      const before = await this.records.find(keyed);
      if (before) await this.repository.release(keyed.scope, holder);
      return before;
    });
  }

  private release({ keyed, holder }: Claim): Promise<boolean> {
    return this.repository.release(keyed.scope, holder);
  }

  private async keep({ keyed, holder }: Claim, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await sleep(BEAT_MS, null, { signal: over }).catch(() => {});
      if (over.aborted) return;
      // One that fails is made up for by the next; if none comes, binding tells whether the key was taken.
      await this.repository.holdOn(keyed.scope, holder, HELD_SECONDS).catch(() => {});
    }
  }
}
