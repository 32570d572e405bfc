import { IntersectionType } from '@nestjs/swagger';
import { AuditFilterQuery } from '../../audit/dto/list-audit.dto.js';
import { auditFields } from '../sources/audit.source.js';
import { ExportQuery, IsFields } from './export-query.dto.js';

export class ExportAuditDto extends IntersectionType(ExportQuery, AuditFilterQuery) {
  @IsFields(auditFields)
  fields?: string[];
}
