import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../../../common/authorization/policy.decorator.js';
import { Operational } from '../../../common/http/operational.decorator.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { SIGNING_ALGORITHM } from '../sessions/token-kinds.js';
import { ServerMetadataResponse } from './server-metadata.response.js';

@ApiTags('auth')
@Operational()
@Controller('.well-known')
export class DiscoveryController {
  constructor(@InjectConfig() private readonly config: Config) {}

  /** Returns the metadata of the server: its issuer, keys and endpoints (RFC 8414). */
  @Get('oauth-authorization-server')
  @Public()
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOkResponse({ type: ServerMetadataResponse })
  readServerMetadata(): ServerMetadataResponse {
    return this.metadata();
  }

  /** Returns the metadata of the server at the path where OpenID Connect libraries look for it. */
  @Get('openid-configuration')
  @Public()
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOkResponse({ type: ServerMetadataResponse })
  readOpenIdConfiguration(): ServerMetadataResponse {
    return this.metadata();
  }

  private metadata(): ServerMetadataResponse {
    const issuer = this.config.PUBLIC_URL;
    return {
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      introspection_endpoint: `${issuer}/api/auth/introspect`,
      introspection_endpoint_auth_methods_supported: ['Bearer'],
      revocation_endpoint: `${issuer}/api/auth/revoke`,
      revocation_endpoint_auth_methods_supported: ['none'],
      response_types_supported: [],
      grant_types_supported: [],
      id_token_signing_alg_values_supported: [SIGNING_ALGORITHM],
    };
  }
}
