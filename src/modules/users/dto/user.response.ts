import { type User, userStatuses, type UserStatus } from '../user.entity.js';
import { ApiProperty } from '@nestjs/swagger';

/** A user as the API returns it. */
export class UserResponse {
  /** @example 0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10 */
  @ApiProperty({ format: 'uuid' })
  id: string;

  /** @example ada@example.com */
  email: string;

  /** @example "Ada Lovelace" */
  name: string;

  /**
   * The language of the mails to the user
   * @example en
   */
  locale: string;

  @ApiProperty({ enum: userStatuses, example: 'active' })
  status: UserStatus;

  /** @example ["user"] */
  roles: string[];

  /** @example false */
  email_verified: boolean;

  /** Rises with every change and forms the ETag */
  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  version: number;

  /** The time of the last sign-in. May lag by up to 5 s and does not change `version` */
  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  last_login_at: string | null;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  updated_at: string;
}

/** Names each field, so that a new column is never exposed by accident. */
export function toUserResponse(user: User): UserResponse {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    locale: user.locale,
    status: user.status,
    roles: user.roles,
    email_verified: user.emailVerified,
    version: user.version,
    last_login_at: user.lastLoginAt?.toISOString() ?? null,
    created_at: user.createdAt.toISOString(),
    updated_at: user.updatedAt.toISOString(),
  };
}
