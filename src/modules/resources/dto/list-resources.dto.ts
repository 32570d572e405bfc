import { PageQuery } from '../../../common/pagination/page-query.dto.js';
import { IsId } from '../../../common/validation/id.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class ListResourcesDto extends PageQuery {
  /** Only what that account owns; another's than one's own needs `resources:transfer` */
  @IsOptionalProperty()
  @IsId()
  owner_id?: string;
}
