import { IsName, IsOptionalProperty } from '../../../common/validation/text.decorators.js';

export class UpdateMeDto {
  /** @example "Ada King" */
  @IsOptionalProperty()
  @IsName()
  name?: string;
}
