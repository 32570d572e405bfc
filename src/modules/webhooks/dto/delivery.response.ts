import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { formatPosition } from '../../../common/event-position.js';
import { type Delivery, type DeliveryStatus, deliveryStatuses } from '../deliveries/delivery.entity.js';

class DeliveryAttemptResponse {
  /** When the attempt began */
  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  at: string;

  /** The status of the receiver’s response. Null if none came */
  @ApiProperty({ type: 'integer', nullable: true, example: 503 })
  status: number | null;

  /** The duration of the attempt in milliseconds */
  @ApiProperty({ type: 'integer', minimum: 0, example: 42 })
  duration_ms: number;

  /** The reason of a failed attempt */
  @ApiPropertyOptional({ example: 'The receiver answered 503' })
  error?: string;

  /** The first 4 KiB of the response. Absent if it was empty or the user of the event is erased */
  @ApiPropertyOptional({ example: 'try later' })
  response?: string;
}

/** A delivery as the API returns it. */
export class DeliveryResponse {
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id: string;

  /** The id of the event, which is also the `webhook-id` of the requests */
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  event_id: string;

  /** The type of the event
   * @example user.created */
  type: string;

  /** The position of the event in the order of all events */
  @ApiProperty({ pattern: '^\\d{43}$', example: '0001000000000000000008150000000000000000042' })
  position: string;

  /** A `dead` delivery has failed for good, unless it is sent again on request */
  @ApiProperty({ enum: deliveryStatuses, example: 'pending' })
  status: DeliveryStatus;

  /** The attempts so far, oldest first. A delivery that was sent again on request keeps the last ten before it */
  @ApiProperty({
    type: [DeliveryAttemptResponse],
    example: [
      { at: '2026-01-01T12:00:00.000Z', status: 503, duration_ms: 42, error: 'The receiver answered 503' },
    ],
  })
  attempts: DeliveryAttemptResponse[];

  /** The time of the next attempt at the earliest. Deliveries before it and a pause can delay it. Null unless the delivery is pending */
  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: '2026-01-01T12:00:05.000Z' })
  next_attempt_at: string | null;
}

/** A delivery of an event of a user, in the data package of that user. */
export class UserDeliveryResponse extends DeliveryResponse {
  /** The id of the webhook that received the event or shall receive it */
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  webhook_id: string;
}

/** Returns a delivery in the API's spelling. `responses` are those of its attempts, null for one that is not known. */
export function toDeliveryResponse(
  delivery: Delivery,
  responses: readonly (string | null)[],
): DeliveryResponse {
  const { epoch, xid, seq } = delivery;
  return {
    id: delivery.id,
    event_id: delivery.eventId,
    type: delivery.type,
    position: formatPosition({ epoch, xid, seq }),
    status: delivery.status,
    attempts: delivery.attempts.map((attempt, index) => {
      const response = responses[index] ?? null;
      return { ...attempt, ...(response !== null && { response }) };
    }),
    next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
  };
}
