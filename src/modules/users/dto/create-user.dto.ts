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

/**
 * A new user. Only a holder of `users:write` may leave out the password or use the last three properties. No property
 * has a `default` in the document, because generators of clients take such a property for required.
 */
export class CreateUserDto {
  /** @example grace@example.com */
  @IsEmailAddress()
  email: string;

  @IsOptionalProperty()
  @IsPassword(
    'Required for a sign-up. A holder of `users:write` may leave it out, so that the user is invited by mail to choose one.',
  )
  @ApiProperty({ required: false })
  password?: string;

  /** @example "Grace Hopper" */
  @IsName()
  name: string;

  /** A language tag (BCP 47) for the mails to the user. Defaults to the language of `Accept-Language` that mails exist in, and otherwise to `en` */
  @IsOptionalProperty()
  @IsLocale()
  locale?: string;

  /** Only with `users:write`. Roles other than `user` require `roles:grant`, and permissions that the caller holds. Defaults to `user` */
  @IsOptionalProperty()
  @IsShortList(1, MAX_ROLES_OF_USER)
  @IsRoleName({ each: true })
  @ApiPropertyOptional({
    type: 'array',
    items: { type: 'string', pattern: ROLE_NAME.source },
    minItems: 1,
    maxItems: MAX_ROLES_OF_USER,
  })
  roles?: string[];

  /** Only with `users:write`. True for an address that is known to be the user's. Defaults to false */
  @IsOptionalProperty()
  @IsBoolean()
  @ApiPropertyOptional()
  email_verified?: boolean;

  /** Only with `users:write`. False for a user who is to get no mail yet. Defaults to true */
  @IsOptionalProperty()
  @IsBoolean()
  @ApiPropertyOptional()
  send_invitation?: boolean;
}
