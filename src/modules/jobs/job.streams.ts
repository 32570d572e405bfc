import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import { bearerToken, unauthorized } from '../../common/http/bearer-token.js';
import type { ServerEvent } from '../../platform/http/answers/event-stream.js';
import { LifecycleService } from '../../platform/lifecycle/lifecycle.service.js';
import { stoppingError } from '../../platform/lifecycle/stopping.error.js';
import { SessionWatchService } from '../auth/principals/session-watch.service.js';
import { toJobResponse } from './dto/job.response.js';
import type { Job } from './job-registry.service.js';
import { hasEnded } from './job.policy.js';
import { JobsService } from './jobs.service.js';

/** The maximum number of streams on this instance. Each queries its job every half second. */
const MAX_STREAMS = 100;
const POLL_INTERVAL_MS = 500;
/**
 * The minimum time in ms between progress events. It is slightly below two polling intervals, so that the
 * second poll after an event sends the next one.
 */
const PROGRESS_INTERVAL_MS = 950;

/** The caller of an open stream. */
interface Caller {
  /** The current rights. */
  principal: Principal;
  /** Aborted when the client has left, and with an error when the session or the token has ended. */
  readonly end: AbortController;
}

/** Streams the progress of jobs that run on any instance. */
@Injectable()
export class JobStreams {
  /** The interval in ms of the comments that keep an idle connection open. */
  commentIntervalMs = 30_000;
  private opened = 0;

  constructor(
    private readonly jobs: JobsService,
    private readonly sessions: SessionWatchService,
    private readonly lifecycle: LifecycleService,
  ) {}

  /** Opens a stream of job events. @throws AppError `NOT_FOUND`, `OVERLOADED` */
  async open(id: string, principal: Principal, request: Request): Promise<AsyncGenerator<ServerEvent>> {
    const { res: response } = request;
    const token = this.sessions.sessionOf(bearerToken(request) ?? '');
    if (!token) throw unauthorized('expired');
    const job = await this.jobs.get(id, principal);
    if (this.opened >= MAX_STREAMS) throw new AppError('OVERLOADED');
    const caller: Caller = { principal, end: new AbortController() };
    if (response === undefined || response.closed) caller.end.abort();
    else {
      this.opened++;
      const unwatch = this.sessions.watch(token, {
        onChange: (current) => (caller.principal = current),
        onEnd: (refusal) => caller.end.abort(unauthorized(refusal)),
      });
      // The slot is freed on close rather than when the generator ends, because the generator of an unread
      // stream never starts.
      response.once('close', () => {
        this.opened--;
        unwatch();
        caller.end.abort();
      });
    }
    return this.follow(job, caller);
  }

  private async *follow(first: Job, caller: Caller): AsyncGenerator<ServerEvent> {
    const { signal } = caller.end;
    yield { event: 'job', data: toJobResponse(first) };
    let sent = first;
    let sentAt = performance.now();
    for (let job = first; ; job = await this.readJob(first.id, caller)) {
      const silentMs = performance.now() - sentAt;
      if (hasEnded(job)) {
        yield { event: 'complete', data: toJobResponse(job) };
        return;
      }
      if (hasMoved(sent, job) && silentMs >= PROGRESS_INTERVAL_MS) {
        yield { event: 'progress', data: toJobResponse(job) };
        [sent, sentAt] = [job, performance.now()];
      } else if (silentMs >= this.commentIntervalMs) {
        yield 'comment';
        sentAt = performance.now();
      }
      await sleep(POLL_INTERVAL_MS, null, { signal }).catch(() => {});
      if (signal.reason instanceof AppError) throw signal.reason;
      if (signal.aborted) return;
    }
  }

  /** Fetches the job for a caller who may still see it. */
  private readJob(id: string, { principal }: Caller): Promise<Job> {
    if (this.lifecycle.draining) throw stoppingError();
    return this.jobs.get(id, principal);
  }
}

const hasMoved = (before: Job, job: Job): boolean =>
  before.done !== job.done || before.failed !== job.failed || before.status !== job.status;
