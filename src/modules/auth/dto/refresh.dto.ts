import { IsText } from '../../../common/validation/text.decorators.js';

/** Far longer than any token that the service issues. */
const MAX_TOKEN_LENGTH = 4096;

export class RefreshDto {
  /** @example eyJhbGciOiJFUzI1NiIsInR5cCI6InJ0K2p3dCJ9.eyJzdWIiOiIwMTkyIn0.c2ln */
  @IsText(1, MAX_TOKEN_LENGTH)
  refresh_token: string;
}
