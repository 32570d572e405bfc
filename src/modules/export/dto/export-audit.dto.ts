import { IntersectionType, PickType } from '@nestjs/swagger';
import { ListAuditDto } from '../../audit/dto/list-audit.dto.js';
import { auditFields } from '../sources/audit.source.js';
import { ExportQuery, IsFields } from './export-query.dto.js';

export class ExportAuditDto extends IntersectionType(
  ExportQuery,
  PickType(ListAuditDto, ['actor_id', 'target_id', 'action', 'outcome', 'from', 'to'] as const),
) {
  @IsFields(auditFields)
  fields?: string[];
}
