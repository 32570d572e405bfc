import { IsText } from '../../../common/validation/text.decorators.js';

/** Only bounded: which rules an address or a password breaks would tell what is stored. */
export class LoginDto {
  /** @example ada@example.com */
  @IsText(1, 320)
  email: string;

  /** @example "correct horse battery" */
  @IsText(1, 512)
  password: string;
}
