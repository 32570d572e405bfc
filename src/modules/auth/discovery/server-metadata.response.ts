import { ApiProperty } from '@nestjs/swagger';

/** The metadata of the authorization server (RFC 8414), for clients and other services. */
export class ServerMetadataResponse {
  /** The `iss` of every token */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000' })
  issuer: string;

  /** The public keys that verify access tokens */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000/.well-known/jwks.json' })
  jwks_uri: string;

  /** The endpoint where services introspect access tokens */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000/api/auth/introspect' })
  introspection_endpoint: string;

  /** Services authenticate to that endpoint with an access token */
  @ApiProperty({ example: ['Bearer'] })
  introspection_endpoint_auth_methods_supported: string[];

  /** The endpoint where clients revoke their tokens */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000/api/auth/revoke' })
  revocation_endpoint: string;

  /** Clients do not authenticate to that endpoint, because the token is enough */
  @ApiProperty({ example: ['none'] })
  revocation_endpoint_auth_methods_supported: string[];

  /** Empty, because the service has no authorization endpoint. RFC 8414 requires the list */
  @ApiProperty({ example: [] })
  response_types_supported: string[];

  /** Empty, because tokens come from `POST /api/auth/login`, which is not an OAuth grant */
  @ApiProperty({ example: [] })
  grant_types_supported: string[];

  /** The algorithms that sign access tokens. Verifiers look for them under this name */
  @ApiProperty({ example: ['ES256'] })
  id_token_signing_alg_values_supported: string[];
}
