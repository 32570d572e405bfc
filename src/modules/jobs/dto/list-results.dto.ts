import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { type RowStatus, rowStatuses } from '../job-registry.service.js';

export class ListResultsDto extends PageQuery {
  /** The status of the rows to list */
  @IsOptionalProperty()
  @IsIn(rowStatuses)
  @ApiPropertyOptional({ enum: rowStatuses })
  status?: RowStatus;
}
