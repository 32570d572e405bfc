import { ApiProperty } from '@nestjs/swagger';

/** Describes the tokens and their endpoints to clients and other services (RFC 8414). Names only what exists. */
export class ServerMetadataResponse {
  /** The `iss` of every token */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000' })
  issuer: string;

  /** The public keys that verify access tokens */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000/.well-known/jwks.json' })
  jwks_uri: string;

  /** Where services ask about access tokens */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000/api/auth/introspect' })
  introspection_endpoint: string;

  /** How those services show who they are: by an access token */
  @ApiProperty({ example: ['Bearer'] })
  introspection_endpoint_auth_methods_supported: string[];

  /** Where clients give up their tokens */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000/api/auth/revoke' })
  revocation_endpoint: string;

  /** How those clients show who they are: the token is enough */
  @ApiProperty({ example: ['none'] })
  revocation_endpoint_auth_methods_supported: string[];

  /** Empty: there is no authorization endpoint. RFC 8414 requires the list */
  @ApiProperty({ example: [] })
  response_types_supported: string[];

  /** Empty: tokens come from `POST /api/auth/login`, which is no grant of OAuth */
  @ApiProperty({ example: [] })
  grant_types_supported: string[];

  /** The algorithms that sign access tokens, under the name in which verifiers look for them */
  @ApiProperty({ example: ['ES256'] })
  id_token_signing_alg_values_supported: string[];
}
