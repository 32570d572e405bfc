import { IsTime } from '../../../common/validation/time.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class ReadUserDto {
  /** As the account stood then, from its events; `last_login_at` is null */
  @IsOptionalProperty()
  @IsTime()
  at?: string;
}
