import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import { TagCondition } from '../../../common/http/preconditions/entity-tag.js';
import { normalizeId } from '../../../common/ids.js';
import { FlagsService } from '../flags.service.js';
import { type EvaluationRequestDto, MAX_TARGETING_KEY_LENGTH } from './evaluation-request.dto.js';
import {
  type BulkEvaluationResponse,
  type EvaluationResponse,
  toEvaluationResponse,
} from './evaluation.response.js';
import { TARGETING_KEY } from './ofrep-errors.js';

/** All flags as they are sent. The body is null for a client that has them already. */
export interface BulkAnswer {
  readonly etag: string;
  readonly body: string | null;
}

/** Evaluates flags by the OpenFeature Remote Evaluation Protocol. */
@Injectable()
export class OfrepService {
  constructor(private readonly flags: FlagsService) {}

  /** @throws AppError `NOT_FOUND`, `FORBIDDEN`, `VALIDATION_ERROR` */
  evaluate(key: string, request: EvaluationRequestDto, caller: Principal): EvaluationResponse {
    const flag = this.flags.find(key);
    return toEvaluationResponse(this.flags.evaluate(flag, targetOf(request, caller)));
  }

  /** Evaluates every flag by one snapshot. @throws AppError `FORBIDDEN`, `VALIDATION_ERROR` */
  evaluateAll(request: EvaluationRequestDto, caller: Principal, ifNoneMatch: string | undefined): BulkAnswer {
    const flags = this.flags.evaluateAll(targetOf(request, caller)).map(toEvaluationResponse);
    const body = JSON.stringify({ flags } satisfies BulkEvaluationResponse);
    const etag = `"${hash('sha256', body, 'base64url')}"`;
    return { etag, body: TagCondition.parse(ifNoneMatch)?.matchesWeakly(etag) ? null : body };
  }
}

/** Returns the user for whom the request evaluates. Others than the caller require `flags:manage`. */
function targetOf({ context }: EvaluationRequestDto, caller: Principal): string {
  const { targetingKey } = context;
  if (targetingKey === undefined || targetingKey === '')
    throw AppError.invalid(TARGETING_KEY, `${TARGETING_KEY} is required`);
  if (typeof targetingKey !== 'string' || targetingKey.length > MAX_TARGETING_KEY_LENGTH) {
    throw AppError.invalid(
      'context',
      `${TARGETING_KEY} must be a string of at most ${MAX_TARGETING_KEY_LENGTH} characters`,
    );
  }
  const target = normalizeId(targetingKey) ?? targetingKey;
  if (target === caller.userId || caller.permissions.has('flags:manage')) return target;
  throw new AppError('FORBIDDEN', {
    message: 'Evaluating flags for another user requires the permission flags:manage',
  });
}
