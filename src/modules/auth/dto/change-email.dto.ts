import { IsEmailAddress, IsText } from '../../../common/validation/text.decorators.js';
import { MAX_PRESENTED_PASSWORD } from './login.dto.js';

export class ChangeEmailDto {
  /** @example ada@example.org */
  @IsEmailAddress()
  new_email: string;

  /** @example "correct horse battery" */
  @IsText(1, MAX_PRESENTED_PASSWORD)
  password: string;
}
