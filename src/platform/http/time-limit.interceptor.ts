import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { merge, Observable, take } from 'rxjs';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app.error.js';
import { streamedTypes } from './body/streamed-body.decorator.js';

/**
 * Answers 504 when the request times out. The same signal cancels its running query and prevents its
 * transaction from committing, so a late request has no effect unless its COMMIT was already sent. Routes
 * with streamed bodies are exempt.
 */
@Injectable()
export class TimeLimitInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (streamedTypes(this.reflector, context)) return next.handle();
    const signal = requestContext.current()?.signal;
    return signal ? merge(next.handle(), failWhenAborted(signal)).pipe(take(1)) : next.handle();
  }
}

function failWhenAborted(signal: AbortSignal): Observable<never> {
  return new Observable((subscriber) => {
    const fail = () => subscriber.error(new AppError('TIMEOUT'));
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail);
    return () => signal.removeEventListener('abort', fail);
  });
}
