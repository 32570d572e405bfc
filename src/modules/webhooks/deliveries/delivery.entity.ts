import { Column, Entity, PrimaryColumn } from 'typeorm';
import { XID8 } from '../../../platform/database/column-types.js';

export const deliveryStatuses = ['pending', 'delivered', 'dead'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** The facts about one attempt, without the response. Nothing in them is personal. */
export interface StoredAttempt {
  /** When the attempt began, in RFC 3339. */
  readonly at: string;
  /** The status of the response; null if none came. */
  readonly status: number | null;
  readonly duration_ms: number;
  readonly error?: string;
}

/** The delivery of one event to one webhook. The event itself is read when it is sent. */
@Entity('webhook_deliveries')
export class Delivery {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'webhook_id' })
  webhookId: string;

  /** The subject of the event: the id of a user, or an object such as `webhook/<id>`. */
  @Column('text')
  subject: string;

  @Column('uuid', { name: 'event_id' })
  eventId: string;

  @Column('text')
  type: string;

  @Column('integer')
  epoch: number;

  @Column({ type: XID8 })
  xid: string;

  @Column('bigint')
  seq: string;

  @Column('text')
  status: DeliveryStatus;

  /** The number of attempts since the delivery was last made pending. */
  @Column('smallint')
  tries: number;

  @Column({ type: 'timestamptz', name: 'next_attempt_at', precision: 3, nullable: true })
  nextAttemptAt: Date | null;

  @Column('jsonb')
  attempts: StoredAttempt[];

  /** The beginning of the response to each attempt, encrypted under the key of the event's user. */
  @Column('bytea', { array: true })
  responses: (Buffer | null)[];

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;
}
