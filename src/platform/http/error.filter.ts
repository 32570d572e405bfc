import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  NotFoundException,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Request, Response } from 'express';
import { PinoLogger } from 'nestjs-pino';
import { requestContext } from '../../common/context/request-context.js';
import { AppError } from '../../common/errors/app-error.js';
import { errorEnvelope, PROBLEM_JSON, problemDetails } from '../../common/errors/error-body.js';
import { type ErrorCode, errorCodes } from '../../common/errors/error-codes.js';
import { AuditTrail } from '../audit-trail/audit-trail.js';
import { databaseError } from '../database/database-errors.js';
import { boundRestOfBody } from './refused-body.js';
import { allowedMethods } from './routes.js';

/** What Nest and Express throw themselves, by status; the rest of theirs is our fault: 500. */
const FRAMEWORK_ERRORS: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'VALIDATION_ERROR'],
  [413, 'PAYLOAD_TOO_LARGE'],
  [415, 'UNSUPPORTED_MEDIA_TYPE'],
]);

/** The only writer of error bodies. The cause is logged here, once, and never sent. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly logger: PinoLogger,
    private readonly audit: AuditTrail,
  ) {}

  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    const error = this.translate(thrown, request);
    this.log(error, thrown);
    if (error.denied) await this.recordDenial(request);
    if (response.headersSent) {
      // Half an answer must not look whole.
      response.destroy();
      return;
    }
    boundRestOfBody(request, response);
    send(error, request, response);
  }

  private translate(thrown: unknown, request: Request): AppError {
    if (thrown instanceof AppError) return thrown;
    if (thrown instanceof NotFoundException) return this.unrouted(request);
    if (thrown instanceof HttpException) {
      const code = FRAMEWORK_ERRORS.get(thrown.getStatus());
      if (code) return new AppError(code, { cause: thrown });
    }
    return databaseError(thrown) ?? new AppError('INTERNAL_ERROR', { cause: thrown });
  }

  /** Only Nest's fallback throws NotFoundException: no route has this path and method. */
  private unrouted(request: Request): AppError {
    const methods = allowedMethods(this.adapterHost.httpAdapter.getInstance(), request.path);
    if (methods.length === 0) return new AppError('NOT_FOUND');
    return new AppError('METHOD_NOT_ALLOWED', { headers: { Allow: methods.join(', ') } });
  }

  /** By now what was refused is rolled back; the entry stands by itself. */
  private async recordDenial({ method, route }: Request): Promise<void> {
    const { path } = route as { path: string };
    try {
      await this.audit.record({
        action: 'permission.check',
        target: { type: 'route', id: `${method} ${path}` },
        outcome: 'denied',
      });
    } catch (error) {
      this.logger.error({ err: error }, 'a refusal could not be written into the audit trail');
    }
  }

  private log(error: AppError, thrown: unknown): void {
    const { level } = errorCodes[error.code];
    const facts = { code: error.code, fields: error.details?.map((detail) => detail.field) };
    if (level === 'info') this.logger.info(facts, 'refused');
    else this.logger[level]({ ...facts, err: error.cause ?? thrown }, 'failed');
  }
}

function send(error: AppError, request: Request, response: Response): void {
  const requestId = requestContext.current()?.requestId ?? '';
  response.status(error.status).set({ ...error.headers });
  if (request.accepts(['application/json', PROBLEM_JSON]) === PROBLEM_JSON) {
    response.type(PROBLEM_JSON).send(JSON.stringify(problemDetails(error, requestId)));
  } else {
    response.json(errorEnvelope(error, requestId));
  }
}
