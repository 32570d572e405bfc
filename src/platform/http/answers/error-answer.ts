import { HttpException } from '@nestjs/common';
import type { Request } from 'express';
import { requestContext } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { errorEnvelope, PROBLEM_JSON, problemDetails } from '../../../common/errors/error-body.js';
import type { ErrorCode } from '../../../common/errors/error-codes.js';
import { preferredType } from '../../../common/http/accept.js';
import { databaseError } from '../../database/database.errors.js';
import type { ErrorExtension } from './error-extension.decorator.js';
import type { Answer } from './prepare-answer.js';

/**
 * Error codes for the exceptions that Nest and Express throw, by status. Any other exception of theirs is our
 * fault: 500.
 */
const FRAMEWORK_ERRORS: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'VALIDATION_ERROR'],
  [413, 'PAYLOAD_TOO_LARGE'],
  [415, 'UNSUPPORTED_MEDIA_TYPE'],
]);

/** Converts anything thrown into an AppError. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof HttpException) {
    const code = FRAMEWORK_ERRORS.get(thrown.getStatus());
    if (code) return new AppError(code, { cause: thrown });
  }
  return databaseError(thrown) ?? new AppError('INTERNAL_ERROR', { cause: thrown });
}

/** Builds the error response. The same request always gets the same bytes. A route may add properties to the body. */
export function errorAnswer(error: AppError, request: Request, extension?: ErrorExtension): Answer {
  const requestId = requestContext.current()?.requestId ?? '';
  const isProblem =
    preferredType(request.headers.accept, ['application/json', PROBLEM_JSON]) === PROBLEM_JSON;
  const type = isProblem ? PROBLEM_JSON : 'application/json';
  const body: object = isProblem ? problemDetails(error, requestId) : errorEnvelope(error, requestId);
  return {
    status: error.status,
    headers: { ...error.headers, 'Content-Type': `${type}; charset=utf-8` },
    body: JSON.stringify(Object.assign(extension?.(error, request) ?? {}, body)),
  };
}
