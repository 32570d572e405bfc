import { Injectable } from '@nestjs/common';
import { PinoLogger } from 'nestjs-pino';
import { type LogLevel, logLevels } from '../../config/log-levels.js';

/** Reads and changes the level of all log lines of this instance, until it restarts. */
@Injectable()
export class LogLevelService {
  constructor(private readonly logger: PinoLogger) {}

  get level(): LogLevel {
    const { level } = this.logger.logger;
    return logLevels.find((each) => each === level) ?? 'info';
  }

  set(level: LogLevel): void {
    this.logger.logger.level = level;
  }
}
