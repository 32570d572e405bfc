import { IsBoolean } from 'class-validator';
import { IsId, IsIdList } from '../../../common/validation/id.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

/**
 * The maximum number of resources locked and written in one transaction, which bounds the wait of other
 * requests.
 */
export const MAX_TRANSFERRED = 1000;

export class TransferResourcesDto {
  /** The user who receives the resources. Must be active */
  @IsId()
  to_user_id: string;

  /** The user who owns the resources, by default the caller. Another user requires `resources:transfer` */
  @IsOptionalProperty()
  @IsId()
  from_user_id?: string;

  /** The resources to transfer, all or none */
  @IsIdList(MAX_TRANSFERRED)
  resource_ids: string[];

  /** Checks whether the transfer is possible. Transfers and stores nothing
   * @example false */
  @IsOptionalProperty()
  @IsBoolean()
  dry_run?: boolean;
}
