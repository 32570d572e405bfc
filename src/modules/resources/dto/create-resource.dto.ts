import { IsOptionalProperty, IsText } from '../../../common/validation/text.decorators.js';

export class CreateResourceDto {
  /** What kind of thing it is, in the words of the one who makes it
   * @example project */
  @IsText(1, 100)
  type: string;

  /** @example "Analytical Engine" */
  @IsText(1, 200)
  name: string;

  /** Its id elsewhere; it need not be unique
   * @example project-42 */
  @IsOptionalProperty()
  @IsText(1, 255)
  external_id?: string;
}
