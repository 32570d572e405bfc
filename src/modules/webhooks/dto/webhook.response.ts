import { ApiProperty } from '@nestjs/swagger';
import {
  type PausedReason,
  pausedReasons,
  type Webhook,
  type WebhookStatus,
  webhookStatuses,
} from '../webhook.entity.js';
import { deliverableTypes } from './webhook-types.decorator.js';

/** A webhook as the API returns it. */
export class WebhookResponse {
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id: string;

  /** The address that receives the events */
  @ApiProperty({ format: 'uri', example: 'https://receiver.example/hooks' })
  url: string;

  /** The types of the events to deliver */
  @ApiProperty({ enum: [...deliverableTypes], isArray: true, example: ['user.created', 'user.deleted'] })
  types: string[];

  /** A note for people */
  @ApiProperty({ type: String, nullable: true, example: 'The billing system' })
  description: string | null;

  /** The deliveries of a `paused` webhook wait */
  @ApiProperty({ enum: webhookStatuses, example: 'active' })
  status: WebhookStatus;

  /** `requested`, or `gone` if the receiver answered 410. Null while the webhook is active */
  @ApiProperty({ enum: pausedReasons, nullable: true, example: null })
  paused_reason: PausedReason | null;

  /** Rises with every change and forms the ETag */
  @ApiProperty({ type: 'integer', minimum: 1, example: 1 })
  version: number;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  created_at: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  updated_at: string;
}

/** A webhook with its new secret, which is shown only once. */
export class WebhookWithSecretResponse extends WebhookResponse {
  /** The secret that signs the deliveries. Keep it: it is not shown again
   * @example whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD4Qz5KS6gM0Y= */
  secret: string;
}

/** Names each field, so that a new column is never exposed by accident. */
export function toWebhookResponse(webhook: Webhook): WebhookResponse {
  return {
    id: webhook.id,
    url: webhook.url,
    types: webhook.types,
    description: webhook.description,
    status: webhook.status,
    paused_reason: webhook.pausedReason,
    version: webhook.version,
    created_at: webhook.createdAt.toISOString(),
    updated_at: webhook.updatedAt.toISOString(),
  };
}

/** Returns a webhook with its new secret in the API's spelling. */
export const toWebhookWithSecretResponse = (webhook: Webhook, secret: string): WebhookWithSecretResponse =>
  Object.assign(toWebhookResponse(webhook), { secret });
