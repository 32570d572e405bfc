import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type RawBodyRequest,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { from, lastValueFrom, type Observable } from 'rxjs';
import { UnitOfWork } from '../database/transactions/unit-of-work.js';
import { type Answer, prepareAnswer } from '../http/answers/prepare-answer.js';
import { errorAnswer, toAppError } from '../http/answers/error-answer.js';
import { AnswerDraft } from './answer-draft.js';
import { parseInput } from '../http/body/parse-input.js';
import { setVersion } from '../http/answers/versioned-answer.js';
import { routeFacts } from '../http/route-facts.js';
import type { VersionedRecord } from '../../common/http/preconditions/entity-tag.js';
import { idempotencyKey, keyUse, REPLAYED_HEADER } from './idempotency-key.js';
import { IdempotencyClaimsService } from './idempotency-claims.service.js';
import { IdempotencyService, type KeyedRequest } from './idempotency.service.js';

/** Statuses of refusals that a retry may not receive again. */
const UNSAVED_STATUSES: ReadonlySet<number> = new Set([401, 408, 409, 429]);

/** Thrown through a handler to stop it, because its request was answered before. */
class AlreadyAnsweredError extends Error {
  constructor(readonly answer: Answer) {
    super('this request was answered before');
  }
}

/**
 * Runs a POST with an `Idempotency-Key` once and replays its response whenever it is repeated. The handler
 * runs in a unit of work that begins by locking the key and ends by storing the response. The interceptor
 * runs after the guards, so that a caller who lost access gets no replay.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly idempotency: IdempotencyService,
    private readonly claims: IdempotencyClaimsService,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<RawBodyRequest<Request>>();
    const key = idempotencyKey(request);
    if (key === null) return next.handle();
    const response = context.switchToHttp().getResponse<Response>();
    const route = routeFacts(context);
    const handle = (): Promise<unknown> => {
      parseInput(request, route);
      return lastValueFrom(next.handle(), { defaultValue: undefined });
    };
    if (keyUse(context) === 'decides-alone') {
      return from(this.answerStreamed(this.idempotency.identify(request, key, true), response, handle));
    }
    const keyed = this.idempotency.identify(request, key);
    return from(
      this.answer(keyed, request, response, async () => {
        const value = await handle();
        if (route.isVersioned) setVersion(request, response, value as VersionedRecord);
        return value;
      }),
    );
  }

  private async answer(
    keyed: KeyedRequest,
    request: Request,
    response: Response,
    handle: () => Promise<unknown>,
  ): Promise<string | undefined> {
    const draft = new AnswerDraft(response);
    try {
      const answer = async () => {
        // Undoes the changes of an attempt that the database made restart.
        draft.discard();
        return draft.finish(await handle());
      };
      return prepareAnswer(
        response,
        await this.runOnce(keyed, answer).catch(this.saveRefusal(keyed, request)),
      );
    } catch (error) {
      draft.discard();
      if (!(error instanceof AlreadyAnsweredError)) throw error;
      response.set(REPLAYED_HEADER, 'true');
      return prepareAnswer(response, error.answer);
    }
  }

  /**
   * Answers a streamed request. The handler binds the key to what it creates from the body, so a response to
   * store exists only then.
   */
  private async answerStreamed(
    keyed: KeyedRequest,
    response: Response,
    handle: () => Promise<unknown>,
  ): Promise<string | undefined> {
    const { answer, again } = await this.claims.runClaimed(keyed, handle);
    if (again) response.set(REPLAYED_HEADER, 'true');
    return prepareAnswer(response, answer);
  }

  /**
   * Runs the request unless it was answered before.
   * @throws AlreadyAnsweredError, AppError `CONFLICT` or `IDEMPOTENCY_MISMATCH`
   */
  private runOnce(keyed: KeyedRequest, answer: () => Promise<Answer>): Promise<Answer> {
    const begin = async () => {
      const before = await this.idempotency.lockScope(keyed);
      if (before) throw new AlreadyAnsweredError(before);
    };
    return this.unitOfWork.runWith(begin, async () => {
      const given = await answer();
      await this.idempotency.saveAnswer(keyed, given);
      return given;
    });
  }

  /**
   * Stores a refusal and rethrows it. A refusal has no effect and its work was rolled back, so it is stored
   * separately.
   */
  private saveRefusal(keyed: KeyedRequest, request: Request) {
    return async (thrown: unknown): Promise<never> => {
      const error = toAppError(thrown);
      const { status, code } = error;
      if (status < 500 && !UNSAVED_STATUSES.has(status) && code !== 'IDEMPOTENCY_MISMATCH') {
        await this.runOnce(keyed, async () => errorAnswer(error, request));
      }
      throw thrown;
    };
  }
}
