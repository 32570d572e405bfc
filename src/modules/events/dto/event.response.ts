import { ApiProperty } from '@nestjs/swagger';
import { shownSubject, type StoredEvent } from '../../../platform/event-store/event-store.js';
import { formatPosition } from '../../../common/event-position.js';

/** An event as the API returns it: CloudEvents 1.0 in JSON, with the position as an extension. */
export class EventResponse {
  @ApiProperty({ enum: ['1.0'], example: '1.0' })
  specversion: '1.0';

  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id: string;

  /** The service that emitted the event */
  @ApiProperty({ format: 'uri', example: 'http://localhost:3000' })
  source: string;

  /** @example user.created */
  type: string;

  /** The id of the user whom the event is about. For an event about another object, its kind and id: `webhook/<id>` */
  @ApiProperty({ example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  subject: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  time: string;

  @ApiProperty({ enum: ['application/json'], example: 'application/json' })
  datacontenttype: 'application/json';

  /** The changed fields. Null once the user is erased */
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { name: 'Ada Lovelace' },
  })
  data: object | null;

  /** The position in the order of all events. It never changes. Compare positions as strings */
  @ApiProperty({ pattern: '^\\d{43}$', example: '0001000000000000000008150000000000000000042' })
  position: string;
}

export const toEventResponse =
  (source: string) =>
  ({ id, type, subject, about, occurredAt, data, position }: StoredEvent): EventResponse => ({
    specversion: '1.0',
    id,
    source,
    type,
    subject: shownSubject({ about, subject }),
    time: occurredAt.toISOString(),
    datacontenttype: 'application/json',
    data,
    position: formatPosition(position),
  });
