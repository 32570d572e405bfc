import { ApiProperty } from '@nestjs/swagger';
import { IsShortList } from '../../../common/validation/short-list.decorator.js';
import { IsRoleName, ROLE_NAME } from '../../roles/dto/role-name.decorator.js';

/** An upper bound far above any real need. */
export const MAX_ROLES_OF_USER = 16;

export class SetRolesDto {
  // The command rejects an empty list, because it must first check whether the caller may act on the user.
  @IsShortList(0, MAX_ROLES_OF_USER)
  @IsRoleName({ each: true })
  @ApiProperty({
    type: 'array',
    items: { type: 'string', pattern: ROLE_NAME.source },
    minItems: 1,
    maxItems: MAX_ROLES_OF_USER,
    example: ['user', 'premium'],
  })
  roles: string[];
}
