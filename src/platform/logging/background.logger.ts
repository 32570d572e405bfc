import { Logger } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';

/**
 * A logger for work that belongs to no request. A timer or event listener inherits the context of the request
 * that happened to create it, so each of its log lines would carry that request's ID.
 */
export class BackgroundLogger extends Logger {
  override log(message: unknown, ...rest: unknown[]): void {
    requestContext.outside(() => super.log(message, ...rest));
  }

  override warn(message: unknown, ...rest: unknown[]): void {
    requestContext.outside(() => super.warn(message, ...rest));
  }

  override error(message: unknown, ...rest: unknown[]): void {
    requestContext.outside(() => super.error(message, ...rest));
  }
}
