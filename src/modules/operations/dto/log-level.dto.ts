import { ApiProperty } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { type LogLevel, logLevels } from '../../../config/log-levels.js';

export class LogLevelDto {
  /** The level of the least important lines that are logged */
  @IsIn(logLevels)
  @ApiProperty({ enum: logLevels, example: 'debug' })
  level: LogLevel;
}
