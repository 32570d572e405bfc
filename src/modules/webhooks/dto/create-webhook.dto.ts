import { IsOptionalProperty, IsText } from '../../../common/validation/text.decorators.js';
import { IsDeliverableTypes } from './webhook-types.decorator.js';
import { MAX_TARGET_LENGTH } from '../../../platform/http-client/outbound-targets.service.js';

export const MAX_DESCRIPTION_LENGTH = 200;

export class CreateWebhookDto {
  /**
   * The address that receives the events: `https`, without credentials and a fragment, and not in a private network
   * @example https://receiver.example/hooks
   */
  @IsText(1, MAX_TARGET_LENGTH)
  url: string;

  /** The types of the events to deliver */
  @IsDeliverableTypes()
  types: string[];

  /** A note for people
   * @example "The billing system" */
  @IsOptionalProperty()
  @IsText(0, MAX_DESCRIPTION_LENGTH)
  description?: string;
}
