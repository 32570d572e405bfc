import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** The state of an access token (RFC 7662, 2.2). An inactive token has no other property. */
export class IntrospectionResponse {
  /** True if the token has not expired, its session is alive and its user is active */
  @ApiProperty({ example: true })
  active: boolean;

  @ApiPropertyOptional({ enum: ['Bearer'], example: 'Bearer' })
  token_type?: 'Bearer';

  /** The id of the user */
  @ApiPropertyOptional({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  sub?: string;

  /** The id of the session */
  @ApiPropertyOptional({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  sid?: string;

  /** The id of the token */
  @ApiPropertyOptional({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  jti?: string;

  /** The roles that the user has now, which may differ from those in the token */
  @ApiPropertyOptional({ example: ['user'] })
  roles?: string[];

  /** The permissions that the user has now */
  @ApiPropertyOptional({ example: ['users:read'] })
  permissions?: string[];

  /** The end of the token, in seconds since 1970 */
  @ApiPropertyOptional({ type: 'integer', example: 1_767_261_600 })
  exp?: number;

  /** The time of issue, in seconds since 1970 */
  @ApiPropertyOptional({ type: 'integer', example: 1_767_260_700 })
  iat?: number;

  /**
   * The issuer of the token
   * @example http://localhost:3000
   */
  iss?: string;

  /**
   * The audience of the token
   * @example gatehouse:api
   */
  aud?: string;

  /**
   * The client that the token was issued to
   * @example gatehouse
   */
  client_id?: string;
}
