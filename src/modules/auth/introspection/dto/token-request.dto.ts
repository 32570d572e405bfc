import { IsAnyText, IsOptionalProperty } from '../../../../common/validation/text.decorators.js';

/**
 * A token to introspect (RFC 7662, 2.1) or to revoke (RFC 7009, 2.1). Any text is judged, because a token that is not
 * valid is no error of the caller, who received it from somebody else.
 */
export class TokenRequestDto {
  /** @example eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIwMTkyIn0.c2ln */
  @IsAnyText()
  token: string;

  /** Ignored, because the token itself shows its kind */
  @IsOptionalProperty()
  @IsAnyText()
  token_type_hint?: string;

  /** Ignored. OAuth clients send it, but it proves nothing */
  @IsOptionalProperty()
  @IsAnyText()
  client_id?: string;
}
