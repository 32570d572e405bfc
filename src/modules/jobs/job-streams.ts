import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from '../../common/authorization/principal.js';
import { AppError } from '../../common/errors/app-error.js';
import type { ServerEvent } from '../../platform/http/event-stream.js';
import { Lifecycle } from '../../platform/lifecycle/lifecycle.js';
import { PrincipalsService } from '../auth/principals.service.js';
import { toJobResponse } from './dto/job.response.js';
import type { Job } from './job-kinds.service.js';
import { hasEnded } from './job-rules.js';
import { JobsService } from './jobs.service.js';

/** On this instance. Each asks for its job every half second. */
const MAX_STREAMS = 100;
const LOOK_EVERY_MS = 500;
/** A little less than twice the look: so the second one after an event sends the next. */
const PROGRESS_EVERY_MS = 950;

/** Lets clients watch jobs, whichever instance does them. */
@Injectable()
export class JobStreams {
  /** A comment this often keeps an idle line open. */
  commentEveryMs = 30_000;
  private opened = 0;

  constructor(
    private readonly jobs: JobsService,
    private readonly principals: PrincipalsService,
    private readonly lifecycle: Lifecycle,
  ) {}

  /** @throws AppError `NOT_FOUND`, `OVERLOADED` */
  async open(
    id: string,
    caller: Principal,
    { res: response }: Request,
  ): Promise<AsyncGenerator<ServerEvent>> {
    const job = await this.jobs.get(id, caller);
    if (this.opened >= MAX_STREAMS) throw new AppError('OVERLOADED');
    const left = new AbortController();
    if (response === undefined || response.closed) left.abort();
    else {
      this.opened++;
      // Not when the events end: of a stream that nobody ever reads they do not even begin.
      response.once('close', () => {
        this.opened--;
        left.abort();
      });
    }
    return this.follow(job, caller, left.signal);
  }

  private async *follow(first: Job, caller: Principal, left: AbortSignal): AsyncGenerator<ServerEvent> {
    yield { event: 'job', data: toJobResponse(first) };
    let sent = first;
    let sentAt = performance.now();
    for (let job = first; ; job = await this.look(first.id, caller)) {
      const silentMs = performance.now() - sentAt;
      if (hasEnded(job)) {
        yield { event: 'complete', data: toJobResponse(job) };
        return;
      }
      if (hasMoved(sent, job) && silentMs >= PROGRESS_EVERY_MS) {
        yield { event: 'progress', data: toJobResponse(job) };
        [sent, sentAt] = [job, performance.now()];
      } else if (silentMs >= this.commentEveryMs) {
        yield 'comment';
        sentAt = performance.now();
      }
      await sleep(LOOK_EVERY_MS, null, { signal: left }).catch(() => {});
      if (left.aborted) return;
    }
  }

  /** For whoever may still see it. Costs one query: callers seen lately are remembered. */
  private async look(id: string, { userId, sessionId }: Principal): Promise<Job> {
    if (this.lifecycle.draining) {
      throw new AppError('OVERLOADED', { message: 'This instance stops: connect again' });
    }
    const principal = await this.principals.find(userId, sessionId);
    if (!principal) throw new AppError('UNAUTHORIZED');
    return this.jobs.get(id, principal);
  }
}

const hasMoved = (before: Job, job: Job): boolean =>
  before.done !== job.done || before.failed !== job.failed || before.status !== job.status;
