import { IsName, IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';

export class UpdateMeDto {
  /** @example "Ada King" */
  @IsOptionalProperty()
  @IsName()
  name?: string;
}

export class UpdateUserDto extends UpdateMeDto {
  @IsOptionalProperty()
  @IsIn(['active', 'disabled'])
  @ApiPropertyOptional({ enum: ['active', 'disabled'], example: 'disabled' })
  status?: 'active' | 'disabled';
}
