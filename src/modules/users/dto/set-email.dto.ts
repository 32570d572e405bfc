import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean } from 'class-validator';
import { IsEmailAddress, IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class SetEmailDto {
  /** @example ada@example.org */
  @IsEmailAddress()
  email: string;

  /** True for an address that is known to be the user's. Defaults to false for another address, and to the present state for the same one */
  @IsOptionalProperty()
  @IsBoolean()
  @ApiPropertyOptional()
  verified?: boolean;
}
