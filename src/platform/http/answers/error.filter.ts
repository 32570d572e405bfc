import { type ArgumentsHost, Catch, type ExceptionFilter, NotFoundException } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import type { Request, Response } from 'express';
import { PinoLogger } from 'nestjs-pino';
import type { Counter } from 'prom-client';
import { AppError } from '../../../common/errors/app.error.js';
import { errorCodes } from '../../../common/errors/error-codes.js';
import { AuditLog } from '../../audit-log/audit-log.service.js';
import { OVERLOAD_REFUSALS, type RefusalReason } from '../../metrics/metric-names.js';
import { EdgeContext } from '../edge/edge-context.js';
import { prepareAnswer } from './prepare-answer.js';
import { sendText } from './send-text.js';
import { errorAnswer, toAppError } from './error-answer.js';
import { boundRestOfBody } from '../body/drain-refused-body.js';
import { allowedMethods } from '../../../common/http/route-pattern.js';

/**
 * The only writer of error bodies. Logs the cause here, once, and never sends it. Ignores what fails after the 504 of the
 * time limit.
 */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly logger: PinoLogger,
    private readonly audit: AuditLog,
    @InjectMetric(OVERLOAD_REFUSALS) private readonly refusals: Counter,
  ) {}

  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const request = host.switchToHttp().getRequest<Request>();
    const response = host.switchToHttp().getResponse<Response>();
    if (EdgeContext.current()?.hasTimedOut) return;
    const error = thrown instanceof NotFoundException ? this.unrouted(request) : toAppError(thrown);
    this.log(error, thrown);
    if (error.denied) await this.recordDenial(request);
    if (response.headersSent) {
      // A partial response must not look complete.
      response.destroy();
      return;
    }
    if (givesUpBody(error, request)) boundRestOfBody(request, response, true);
    else boundRestOfBody(request, response);
    // Outside the API, nothing has set it. The type of the body depends on `Accept`, which caches would overlook.
    if (!response.hasHeader('Cache-Control')) response.setHeader('Cache-Control', 'no-store');
    const answer = errorAnswer(error, request, EdgeContext.current()?.route?.errorExtension);
    sendText(request, response, prepareAnswer(response, answer) ?? '');
  }

  /** Returns the error for a request that no route serves. Only Nest's fallback throws NotFoundException. */
  private unrouted(request: Request): AppError {
    const methods = allowedMethods(this.adapterHost.httpAdapter.getInstance(), request.path);
    if (methods.length === 0) return new AppError('NOT_FOUND');
    return new AppError('METHOD_NOT_ALLOWED', { headers: { Allow: methods.join(', ') } });
  }

  /**
   * Records the denial in the audit log. The refused work has been rolled back by now, so the entry is
   * written separately.
   */
  private async recordDenial({ method, route }: Request): Promise<void> {
    const { path } = route as { path: string };
    try {
      await this.audit.record({
        action: 'permission.check',
        target: { type: 'route', id: `${method} ${path}` },
        outcome: 'denied',
      });
    } catch (error) {
      this.logger.error({ err: error }, 'a refusal could not be written to the audit log');
    }
  }

  private log(error: AppError, thrown: unknown): void {
    if (error.code === 'OVERLOADED') {
      // A line for each refusal would cost what the refusal is meant to save.
      this.refusals.inc({ reason: 'queue' satisfies RefusalReason });
      return;
    }
    // Work ends so when its client leaves. The line of the request says that.
    if (error.code === 'TIMEOUT' && EdgeContext.current()?.hasLeft) return;
    const { level } = errorCodes[error.code];
    const facts = { code: error.code, fields: error.details?.map((detail) => detail.field) };
    if (level === 'info') this.logger.info(facts, 'refused');
    else this.logger[level]({ ...facts, err: error.cause ?? thrown }, 'failed');
  }
}

/** Tells whether the rest of the body is too long or has already timed out. */
function givesUpBody({ code }: AppError, request: Request): boolean {
  return code === 'PAYLOAD_TOO_LARGE' || (code === 'TIMEOUT' && !request.complete);
}
