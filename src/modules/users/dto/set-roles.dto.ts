import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray } from 'class-validator';
import { IsRoleName } from '../../roles/dto/role-name.decorator.js';

/** More roles than anybody needs; a bound all the same. */
const MAX_ROLES = 16;

export class SetRolesDto {
  /** @example ["user", "premium"] */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_ROLES)
  @ArrayUnique()
  @IsRoleName({ each: true })
  roles: string[];
}
