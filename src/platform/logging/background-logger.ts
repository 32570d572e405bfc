import { Logger } from '@nestjs/common';
import { requestContext } from '../../common/context/request-context.js';

/**
 * A logger for work that belongs to no request. A timer or an event listener inherits the context of the request
 * that happened to set it, and each of its lines would carry the id of that request for ever.
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
