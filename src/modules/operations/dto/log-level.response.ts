import { ApiProperty } from '@nestjs/swagger';
import { type LogLevel, logLevels } from '../../../config/log-levels.js';

/** The log level of the instance that answered. */
export class LogLevelResponse {
  /** The id of the instance whose level was changed */
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  instance_id: string;

  /** The level of the least important lines that are logged */
  @ApiProperty({ enum: logLevels, example: 'debug' })
  level: LogLevel;
}
