import { IsText } from '../../../common/validation/text.decorators.js';

/** A local part of 64, an @ and a domain of 255 (RFC 5321, 4.5.3.1). */
export const MAX_PRESENTED_EMAIL = 320;
/** Four times the longest password, whatever normalization makes of it. */
export const MAX_PRESENTED_PASSWORD = 512;

/** Only bounded: which rules an address or a password breaks would tell what is stored. */
export class LoginDto {
  /** @example ada@example.com */
  @IsText(1, MAX_PRESENTED_EMAIL)
  email: string;

  /** @example "correct horse battery" */
  @IsText(1, MAX_PRESENTED_PASSWORD)
  password: string;
}
