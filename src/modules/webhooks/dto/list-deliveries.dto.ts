import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';
import { type DeliveryStatus, deliveryStatuses } from '../deliveries/delivery.entity.js';

export class ListDeliveriesDto extends PageQuery {
  /** The status of the deliveries to list */
  @IsOptionalProperty()
  @IsIn(deliveryStatuses)
  @ApiPropertyOptional({ enum: deliveryStatuses })
  status?: DeliveryStatus;
}
