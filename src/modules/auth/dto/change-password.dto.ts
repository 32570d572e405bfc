import { IsPassword, IsText } from '../../../common/validation/text.decorators.js';
import { MAX_PRESENTED_PASSWORD } from './login.dto.js';

export class ChangePasswordDto {
  /** @example "correct horse battery" */
  @IsText(1, MAX_PRESENTED_PASSWORD)
  current_password: string;

  /** @example "a better horse battery" */
  @IsPassword()
  new_password: string;
}
