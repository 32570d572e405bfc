import { IsOptionalProperty, IsText } from '../../../common/validation/text.decorators.js';

export class CreateResourceDto {
  /** The kind of the resource, chosen by the client
   * @example project */
  @IsText(1, 100)
  type: string;

  /** @example "Analytical Engine" */
  @IsText(1, 200)
  name: string;

  /** The id of the resource in another system. Need not be unique
   * @example project-42 */
  @IsOptionalProperty()
  @IsText(1, 255)
  external_id?: string;
}
