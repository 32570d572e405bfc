import { IntersectionType, PickType } from '@nestjs/swagger';
import { ListUsersDto } from '../../users/dto/list-users.dto.js';
import { userFields } from '../sources/user-columns.js';
import { ExportQuery, IsFields } from './export-query.dto.js';

export class ExportUsersDto extends IntersectionType(
  ExportQuery,
  PickType(ListUsersDto, ['search', 'status', 'role'] as const),
) {
  @IsFields(userFields)
  fields?: string[];
}
