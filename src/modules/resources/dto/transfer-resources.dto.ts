import { IsBoolean } from 'class-validator';
import { IsId, IsIdList } from '../../../common/validation/id.decorator.js';
import { IsOptionalProperty } from '../../../common/validation/text.decorators.js';

/** Locked and written in one transaction: a bound on how long others wait. */
export const MAX_TRANSFERRED = 1000;

export class TransferResourcesDto {
  /** The account that they come to; active */
  @IsId()
  to_user_id: string;

  /** The account that they belong to, by default the caller's own; another one needs `resources:transfer` */
  @IsOptionalProperty()
  @IsId()
  from_user_id?: string;

  /** All of them move, or none */
  @IsIdList(MAX_TRANSFERRED)
  resource_ids: string[];

  /** Only tells whether it could be done: nothing moves and nothing is written
   * @example false */
  @IsOptionalProperty()
  @IsBoolean()
  dry_run?: boolean;
}
