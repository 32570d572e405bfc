import { IsLocale } from '../../../common/validation/locale.decorator.js';
import {
  IsEmailAddress,
  IsName,
  IsOptionalProperty,
  IsPassword,
} from '../../../common/validation/text.decorators.js';

/**
 * A user who signs up, for validation only. The OpenAPI document shows `CreateUserDto`, which describes these
 * properties too.
 */
export class SignUpDto {
  @IsEmailAddress()
  email: string;

  @IsPassword()
  password: string;

  @IsName()
  name: string;

  @IsOptionalProperty()
  @IsLocale()
  locale?: string;
}
