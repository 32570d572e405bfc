import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray } from 'class-validator';
import { IsRoleName, ROLE_NAME } from '../../roles/dto/role-name.decorator.js';

/** More roles than anybody needs; a bound all the same. */
const MAX_ROLES_OF_ACCOUNT = 16;

export class SetRolesDto {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_ROLES_OF_ACCOUNT)
  @ArrayUnique()
  @IsRoleName({ each: true })
  @ApiProperty({
    type: 'array',
    items: { type: 'string', pattern: ROLE_NAME.source },
    maxItems: MAX_ROLES_OF_ACCOUNT,
    example: ['user', 'premium'],
  })
  roles: string[];
}
