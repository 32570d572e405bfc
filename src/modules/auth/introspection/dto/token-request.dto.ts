import { IsOptionalProperty, IsText } from '../../../../common/validation/text.decorators.js';
import { MAX_JWT_LENGTH } from '../../sessions/token-kinds.js';

const MAX_PARAMETER_LENGTH = 200;

/** A token to introspect (RFC 7662, 2.1) or to revoke (RFC 7009, 2.1). */
export class TokenRequestDto {
  /** @example eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIwMTkyIn0.c2ln */
  @IsText(1, MAX_JWT_LENGTH)
  token: string;

  /** Ignored, because the token itself shows its kind */
  @IsOptionalProperty()
  @IsText(0, MAX_PARAMETER_LENGTH)
  token_type_hint?: string;

  /** Ignored. OAuth clients send it, but it proves nothing */
  @IsOptionalProperty()
  @IsText(0, MAX_PARAMETER_LENGTH)
  client_id?: string;
}
