import { IsText } from '../../../common/validation/text.decorators.js';

/** Longer than any that could be right: it is only read to be compared. */
export const MAX_PRESENTED_PASSWORD = 512;

/** Only bounded: which rules an address or a password breaks would tell what is stored. */
export class LoginDto {
  /** @example ada@example.com */
  @IsText(1, 320)
  email: string;

  /** @example "correct horse battery" */
  @IsText(1, MAX_PRESENTED_PASSWORD)
  password: string;
}
