import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { type RowStatus, rowStatuses } from '../job-kinds.service.js';

export class ListResultsDto extends PageQuery {
  /** Only rows that this became of */
  @IsOptionalProperty()
  @IsIn(rowStatuses)
  @ApiPropertyOptional({ enum: rowStatuses })
  status?: RowStatus;
}
