import { IsTime } from '../../../common/validation/time.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class ReadUserDto {
  /** Returns the user as of this time, rebuilt from events. `last_login_at` is null */
  @IsOptionalProperty()
  @IsTime()
  at?: string;
}
