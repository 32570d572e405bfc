import { IsLocale } from '../../../common/validation/locale.decorator.js';
import {
  IsEmailAddress,
  IsName,
  IsOptionalProperty,
  IsPassword,
} from '../../../common/validation/text.decorators.js';

export class SignUpDto {
  /** @example ada@example.com */
  @IsEmailAddress()
  email: string;

  /** @example "correct horse battery" */
  @IsPassword()
  password: string;

  /** @example "Ada Lovelace" */
  @IsName()
  name: string;

  /** A language tag (BCP 47) for the mails to the user. Defaults to the language of `Accept-Language` that mails exist in, and otherwise to `en` */
  @IsOptionalProperty()
  @IsLocale()
  locale?: string;
}
