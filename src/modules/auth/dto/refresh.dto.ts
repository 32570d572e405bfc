import { IsText } from '../../../common/validation/text.decorators.js';
import { MAX_JWT_LENGTH } from '../sessions/token-kinds.js';

export class RefreshDto {
  /** @example eyJhbGciOiJFUzI1NiIsInR5cCI6InJ0K2p3dCJ9.eyJzdWIiOiIwMTkyIn0.c2ln */
  @IsText(1, MAX_JWT_LENGTH)
  refresh_token: string;
}
