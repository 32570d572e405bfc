import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { UpdateMeDto } from './update-me.dto.js';

export class UpdateUserDto extends UpdateMeDto {
  @IsOptionalProperty()
  @IsIn(['active', 'disabled'])
  @ApiPropertyOptional({ enum: ['active', 'disabled'], example: 'disabled' })
  status?: 'active' | 'disabled';
}
