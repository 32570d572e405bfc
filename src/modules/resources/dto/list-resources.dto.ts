import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsId } from '../../../common/validation/id.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class ListResourcesDto extends PageQuery {
  /** The owner whose resources to list. An owner other than the caller requires `resources:transfer` */
  @IsOptionalProperty()
  @IsId()
  owner_id?: string;
}
