import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { IsOptionalProperty, IsText } from '../../../common/validation/text.decorators.js';
import { type WebhookStatus, webhookStatuses } from '../webhook.entity.js';
import { MAX_TARGET_LENGTH } from '../../../platform/http-client/outbound-targets.service.js';
import { MAX_DESCRIPTION_LENGTH } from './create-webhook.dto.js';
import { IsDeliverableTypes } from './webhook-types.decorator.js';

export class UpdateWebhookDto {
  /**
   * The address that receives the events, also those that wait
   * @example https://receiver.example/hooks
   */
  @IsOptionalProperty()
  @IsText(1, MAX_TARGET_LENGTH)
  url?: string;

  /** The types of the events to deliver from now on */
  @IsOptionalProperty()
  @IsDeliverableTypes()
  types?: string[];

  /** A note for people. An empty text removes it
   * @example "The billing system" */
  @IsOptionalProperty()
  @IsText(0, MAX_DESCRIPTION_LENGTH)
  description?: string;

  /** `paused` lets deliveries wait, `active` continues them */
  @IsOptionalProperty()
  @IsIn(webhookStatuses)
  @ApiPropertyOptional({ enum: webhookStatuses, example: 'paused' })
  status?: WebhookStatus;
}
