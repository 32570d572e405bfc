import { IsTime } from '../../../../common/validation/time.decorator.js';
import { IsOptionalProperty } from '../../../../common/validation/text.decorators.js';

export class VerifyTrailDto {
  /** From this time on; without it, from the beginning */
  @IsTime()
  @IsOptionalProperty()
  from?: string;

  /** Until this time; without it, to the end */
  @IsTime()
  @IsOptionalProperty()
  to?: string;
}
