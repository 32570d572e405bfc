import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';
import { newId } from '../../common/ids.js';
import { UnitOfWork } from '../database/transactions/unit-of-work.js';
import type { Answer } from '../http/answers/prepare-answer.js';
import { IdempotencyService, type KeyedRequest, stillRunning } from './idempotency.service.js';
import { IdempotencyRepository } from './idempotency.repository.js';

/** The time without a beat after which any request may take the key, because its instance is gone. */
const LEASE_SECONDS = 10;
const HEARTBEAT_MS = 2000;

/** A key that this instance holds while the body of its request arrives. */
interface Claim {
  readonly keyed: KeyedRequest;
  readonly holder: string;
  /** The response stored by the unit of work that bound the key; null before. */
  answer: Answer | null;
}

/**
 * Holds the key of a request whose body is streamed. No transaction may last as long as an upload, so a row,
 * written in its own transaction, claims the key. Beats keep the claim while the upload lasts.
 */
@Injectable()
export class IdempotencyClaimsService {
  private readonly storage = new AsyncLocalStorage<Claim>();

  constructor(
    private readonly repository: IdempotencyRepository,
    private readonly idempotency: IdempotencyService,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Runs `work` while it holds the key. `work` binds the key to what it creates; if it fails, the key is free
   * again.
   * @returns the response to send, and whether it is a replay
   * @throws AppError `CONFLICT` while another request holds the key
   */
  async runClaimed(
    keyed: KeyedRequest,
    work: () => Promise<unknown>,
  ): Promise<{ readonly answer: Answer; readonly again: boolean }> {
    const claim: Claim = { keyed, holder: newId(), answer: null };
    const before = await this.claim(claim);
    if (before) return { answer: before, again: true };
    const over = new AbortController();
    // The upload may outlast the request's time limit.
    const beats = requestContext.leave(() => this.keepLease(claim, over.signal));
    try {
      await this.storage.run(claim, work);
      if (!claim.answer) throw new Error('a request that held its Idempotency-Key has not bound it');
      return { answer: claim.answer, again: false };
    } catch (error) {
      // If this also fails, the claim expires.
      await requestContext.leave(() => this.release(claim)).catch(() => {});
      throw error;
    } finally {
      over.abort();
      await beats;
    }
  }

  /**
   * Stores the response for repeated requests, in the unit of work of the effect. Does nothing for a request
   * without a key.
   * @throws AppError `CONFLICT` when another instance has taken the key because it believed this one dead
   */
  async bind(answer: Answer): Promise<void> {
    const claim = this.storage.getStore();
    if (!claim) return;
    if (!(await this.release(claim))) throw stillRunning();
    await this.idempotency.saveAnswer(claim.keyed, answer);
    claim.answer = answer;
  }

  /**
   * Claims the key, then looks for a stored response. A concurrent binding is waited for, and its response is
   * found.
   */
  private claim({ keyed, holder }: Claim): Promise<Answer | null> {
    return this.unitOfWork.run(async () => {
      if (!(await this.repository.claim(keyed.scope, holder, LEASE_SECONDS))) throw stillRunning();
      const before = await this.idempotency.find(keyed);
      if (before) await this.repository.release(keyed.scope, holder);
      return before;
    });
  }

  private release({ keyed, holder }: Claim): Promise<boolean> {
    return this.repository.release(keyed.scope, holder);
  }

  private async keepLease({ keyed, holder }: Claim, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await sleep(HEARTBEAT_MS, null, { signal: over }).catch(() => {});
      if (over.aborted) return;
      // The next beat makes up for a failed one. If none succeeds, binding detects whether the key was taken.
      await this.repository.renewClaim(keyed.scope, holder, LEASE_SECONDS).catch(() => {});
    }
  }
}
