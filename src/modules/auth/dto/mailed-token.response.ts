import { ApiProperty } from '@nestjs/swagger';
import { tokenPurposes } from '../recovery/one-time-token.entity.js';
import type { MailedToken } from '../recovery/one-time-tokens.repository.js';

/** A token that was mailed, without the token itself. */
export class MailedTokenResponse {
  @ApiProperty({ enum: tokenPurposes, example: 'verify-email' })
  purpose: string;

  /** @example ada@example.com */
  email: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-02T12:00:00.000Z' })
  expires_at: string;
}

export const toMailedTokenResponse = (token: MailedToken): MailedTokenResponse => ({
  purpose: token.purpose,
  email: token.email,
  created_at: token.createdAt.toISOString(),
  expires_at: token.expiresAt.toISOString(),
});
