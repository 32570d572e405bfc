import { ApiProperty } from '@nestjs/swagger';
import { IsTime } from '../../../common/validation/time.decorator.js';

const EXAMPLE = { format: 'date-time', example: '2026-01-01T12:00:00.000Z' } as const;

/** A range of time, of events to deliver again. */
export class ReplayDto {
  /** The time of the first event */
  @IsTime()
  @ApiProperty(EXAMPLE)
  from: string;

  /** The end of the range, exclusive. A time in the future counts as now */
  @IsTime()
  @ApiProperty(EXAMPLE)
  to: string;
}

/** A replay that was accepted. */
export class ReplayResponse {
  /** The time of the first event */
  @ApiProperty(EXAMPLE)
  from: string;

  /** The end of the range, exclusive */
  @ApiProperty(EXAMPLE)
  to: string;
}
