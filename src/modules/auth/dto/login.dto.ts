import { IsText } from '../../../common/validation/text.decorators.js';

/** The maximum length: a local part of 64 characters, an @ and a domain of 255 (RFC 5321, 4.5.3.1). */
export const MAX_PRESENTED_EMAIL = 320;
/** Four times the maximum length of a password, to leave room for text that normalization shortens. */
export const MAX_PRESENTED_PASSWORD = 512;

/**
 * Credentials for sign-in. Only their length is validated, because naming a broken rule would reveal what is
 * stored.
 */
export class LoginDto {
  /** @example ada@example.com */
  @IsText(1, MAX_PRESENTED_EMAIL)
  email: string;

  /** @example "correct horse battery" */
  @IsText(1, MAX_PRESENTED_PASSWORD)
  password: string;
}
