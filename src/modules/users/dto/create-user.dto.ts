import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean } from 'class-validator';
import { IsLocale } from '../../../common/validation/locale.decorator.js';
import { IsShortList } from '../../../common/validation/short-list.decorator.js';
import {
  IsEmailAddress,
  IsName,
  IsOptionalProperty,
  IsPassword,
} from '../../../common/validation/text.decorators.js';
import { IsRoleName, ROLE_NAME } from '../../roles/dto/role-name.decorator.js';
import { MAX_ROLES_OF_USER } from './set-roles.dto.js';

/** A new user. Only a holder of `users:write` may leave out the password or use the last three properties. */
export class CreateUserDto {
  /** @example grace@example.com */
  @IsEmailAddress()
  email: string;

  /** Required for a sign-up. A holder of `users:write` may leave it out, so that the user is invited by mail to choose one */
  @IsOptionalProperty()
  @IsPassword()
  @ApiProperty({ required: false })
  password?: string;

  /** @example "Grace Hopper" */
  @IsName()
  name: string;

  /** A language tag (BCP 47) for the mails to the user. Defaults to the language of `Accept-Language` that mails exist in, and otherwise to `en` */
  @IsOptionalProperty()
  @IsLocale()
  locale?: string;

  /** Only with `users:write`. Roles other than `user` require `roles:grant`, and permissions that the caller holds */
  @IsOptionalProperty()
  @IsShortList(1, MAX_ROLES_OF_USER)
  @IsRoleName({ each: true })
  @ApiPropertyOptional({
    type: 'array',
    items: { type: 'string', pattern: ROLE_NAME.source },
    minItems: 1,
    maxItems: MAX_ROLES_OF_USER,
    default: ['user'],
  })
  roles?: string[];

  /** Only with `users:write`. True for an address that is known to be the user's */
  @IsOptionalProperty()
  @IsBoolean()
  @ApiPropertyOptional({ default: false })
  email_verified?: boolean;

  /** Only with `users:write`. False for a user who is to get no mail yet */
  @IsOptionalProperty()
  @IsBoolean()
  @ApiPropertyOptional({ default: true })
  send_invitation?: boolean;
}
