import { Injectable } from '@nestjs/common';
import { Logger } from 'nestjs-pino';

/** Parts of Nest that log each of a hundred modules and routes at every start. */
const QUIET_CONTEXTS: ReadonlySet<unknown> = new Set([
  'InstanceLoader',
  'NestFactory',
  'NestApplication',
  'RouterExplorer',
  'RoutesResolver',
]);

/** nestjs-pino's logger with the framework's startup messages lowered to debug level. */
@Injectable()
export class ServiceLogger extends Logger {
  override log(message: unknown, ...rest: unknown[]): void {
    if (QUIET_CONTEXTS.has(rest.at(-1))) this.debug(message, ...rest);
    else super.log(message, ...rest);
  }

  /**
   * Logs an error. Nest also throws what it logs about a failed start, and the start reports that in one
   * line.
   */
  override error(message: unknown, ...rest: unknown[]): void {
    if (QUIET_CONTEXTS.has(rest.at(-1))) this.debug(message, ...rest);
    else super.error(message, ...rest);
  }
}
