import { Controller, Get, Header } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../../../common/authorization/policy.decorator.js';
import { Operational } from '../../../common/http/operational.decorator.js';
import { JwksResponse } from '../dto/token.response.js';
import { SigningKeysService } from './signing-keys.service.js';

@ApiTags('auth')
@Operational()
@Controller('.well-known')
export class JwksController {
  constructor(private readonly keys: SigningKeysService) {}

  /** Returns the public keys, with which other services verify access tokens (RFC 7517). */
  @Get('jwks.json')
  @Public()
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOkResponse({ type: JwksResponse })
  readSigningKeys(): JwksResponse {
    return { keys: this.keys.jwks };
  }
}
