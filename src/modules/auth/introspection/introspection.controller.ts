import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Public, Requires } from '../../../common/authorization/policy.decorator.js';
import { NoStore } from '../../../common/http/no-store.decorator.js';
import { AcceptsForm } from '../../../platform/http/body/form-body.decorator.js';
import { IgnoresIdempotencyKey } from '../../../platform/idempotency/idempotency.decorator.js';
import { IntrospectLimited } from '../../../platform/rate-limit/tier.policy.js';
import { IntrospectionResponse } from './dto/introspection.response.js';
import { TokenRequestDto } from './dto/token-request.dto.js';
import { IntrospectionService } from './introspection.service.js';

@ApiTags('auth')
@IgnoresIdempotencyKey()
@Controller('api/auth')
export class IntrospectionController {
  constructor(private readonly introspection: IntrospectionService) {}

  /** Returns whether an access token is valid now, and the permissions of its user (RFC 7662). */
  @Post('introspect')
  @Requires('tokens:introspect')
  @IntrospectLimited()
  @AcceptsForm('token')
  @NoStore()
  @HttpCode(200)
  @ApiOkResponse({ type: IntrospectionResponse })
  introspectToken(@Body() { token }: TokenRequestDto): Promise<IntrospectionResponse> {
    return this.introspection.introspect(token);
  }

  /**
   * Ends the session of a refresh token, or of an access token, which may have expired (RFC 7009). Any other token gets
   * the same response.
   */
  @Post('revoke')
  @Public()
  @AcceptsForm('token')
  @NoStore()
  @HttpCode(200)
  @ApiOkResponse({ description: 'The token is no longer valid' })
  revokeToken(@Body() { token }: TokenRequestDto): Promise<void> {
    return this.introspection.revoke(token);
  }
}
