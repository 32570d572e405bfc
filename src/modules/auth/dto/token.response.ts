import { ApiProperty } from '@nestjs/swagger';

export class TokenResponse {
  /** @example eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIwMTkyIn0.c2ln */
  access_token: string;

  /**
   * A token for `POST /api/auth/refresh`. It can be used once.
   * @example eyJhbGciOiJFUzI1NiIsInR5cCI6InJ0K2p3dCJ9.eyJzdWIiOiIwMTkyIn0.c2ln
   */
  refresh_token: string;

  @ApiProperty({ enum: ['Bearer'], example: 'Bearer' })
  token_type: 'Bearer';

  /** The lifetime of the access token in seconds */
  @ApiProperty({ type: 'integer', minimum: 1, example: 900 })
  expires_in: number;
}

class JwkResponse {
  /** @example EC */
  kty: string;

  /** @example P-256 */
  crv: string;

  /** @example f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU */
  x: string;

  /** @example x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0 */
  y: string;

  /** @example NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs */
  kid: string;

  /** @example sig */
  use: string;

  /** @example ES256 */
  alg: string;
}

export class JwksResponse {
  keys: JwkResponse[];
}
