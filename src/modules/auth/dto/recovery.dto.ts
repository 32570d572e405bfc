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
  /** @example pK1bqL0kXyq2bQ6i8fYv3aJm9tRwZcE4uHnD7sGx5Vo */
  @IsText(1, MAX_TOKEN_LENGTH)
  token: string;
}

export class ResetPasswordDto extends TokenDto {
  /** @example "a better horse battery" */
  @IsPassword()
  new_password: string;
}
