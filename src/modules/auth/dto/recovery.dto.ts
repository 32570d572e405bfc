import { IsPassword, IsText } from '../../../common/validation/text.decorators.js';

import { MAX_PRESENTED_EMAIL } from './login.dto.js';

/** Longer than any mailed token. */
const MAX_TOKEN_LENGTH = 128;

export class EmailDto {
  /** @example ada@example.com */
  @IsText(1, MAX_PRESENTED_EMAIL)
  email: string;
}

export class TokenDto {
  /**
   * A mailed code. Case, hyphens and spaces do not matter
   * @example 7K3-QXM-9D2-R4T-BW8-Y6P-HF0-N5C-JE1-V7G-2SA
   */
  @IsText(1, MAX_TOKEN_LENGTH)
  token: string;
}

export class ResetPasswordDto extends TokenDto {
  /** @example "a better horse battery" */
  @IsPassword()
  new_password: string;
}
