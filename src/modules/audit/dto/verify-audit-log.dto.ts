import { IsTime } from '../../../common/validation/time.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class VerifyTrailDto {
  /** The start of the range; without it, the beginning of the audit log */
  @IsTime()
  @IsOptionalProperty()
  from?: string;

  /** The end of the range; without it, the end of the audit log */
  @IsTime()
  @IsOptionalProperty()
  to?: string;
}
