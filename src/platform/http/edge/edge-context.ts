import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request } from 'express';
import { type RequestContext, requestContext } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { requestOriginOf } from '../../../common/http/request-origin.js';
import { newId } from '../../../common/ids.js';
import type { RouteFacts } from '../route-facts.js';
import { traceOf } from './request-span.js';

const ACCEPTED_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** The context of a request. Creates its signals on first use, because most requests need none. */
export class EdgeContext implements RequestContext {
  readonly requestId: string;
  readonly trace: RequestContext['trace'];
  readonly origin: RequestContext['origin'];
  readonly startedAt = performance.now();
  caller: RequestContext['caller'] = { principal: null, refusal: null };
  /** Null until the request is routed. */
  route: RouteFacts | null = null;
  /**
   * Takes the error of the time limit, which Nest answers with 504. Null before the request is routed, for a streamed
   * body, and once it is answered.
   */
  onTimeout: NextFunction | null = null;
  private late = false;
  private timeoutAnswered = false;
  private gone = false;
  private lateController: AbortController | null = null;
  private goneController: AbortController | null = null;

  constructor(request: Request) {
    this.requestId = requestIdOf(request);
    this.trace = traceOf(request);
    this.origin = requestOriginOf(request);
  }

  /** Returns the context of the current request; undefined outside of one. */
  static current(): EdgeContext | undefined {
    const context = requestContext.current();
    return context instanceof EdgeContext ? context : undefined;
  }

  /** True once the client has the 504 of the time limit. Whatever the request's work returns later is dropped. */
  get hasTimedOut(): boolean {
    return this.timeoutAnswered;
  }

  /** True once the client has closed the connection before it had a response. */
  get hasLeft(): boolean {
    return this.gone;
  }

  get signal(): AbortSignal {
    this.lateController ??= controllerOf(this.late);
    return this.lateController.signal;
  }

  get clientGone(): AbortSignal {
    this.goneController ??= controllerOf(this.gone);
    return this.goneController.signal;
  }

  /** Ends the request's work at its time limit. */
  timeOut(): void {
    this.late = true;
    this.lateController?.abort();
    const answer = this.onTimeout;
    if (answer === null) return;
    answer(new AppError('TIMEOUT'));
    // Set last, because the error filter drops every error once it is set, this one included.
    this.timeoutAnswered = true;
  }

  /** Records that the client closed the connection before it had a response. */
  leave(): void {
    this.gone = true;
    this.goneController?.abort();
  }
}

function controllerOf(aborted: boolean): AbortController {
  const controller = new AbortController();
  if (aborted) controller.abort();
  return controller;
}

/** Returns the caller's request ID when it is safe in a header and a log line, or else a new one. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && ACCEPTED_ID.test(given) ? given : newId();
}
