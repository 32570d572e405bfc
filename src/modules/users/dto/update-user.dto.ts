import { IsLocale } from '../../../common/validation/locale.decorator.js';
import { IsName, IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';

class RenameDto {
  /** @example "Ada King" */
  @IsOptionalProperty()
  @IsName()
  name?: string;
}

export class UpdateMeDto extends RenameDto {
  /** A language tag (BCP 47). Mails to the user are written in this language if it exists, and otherwise in English */
  @IsOptionalProperty()
  @IsLocale()
  locale?: string;
}

export class UpdateUserDto extends RenameDto {
  @IsOptionalProperty()
  @IsIn(['active', 'disabled'])
  @ApiPropertyOptional({ enum: ['active', 'disabled'], example: 'disabled' })
  status?: 'active' | 'disabled';
}
