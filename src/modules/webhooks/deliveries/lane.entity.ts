import { Column, Entity, PrimaryColumn } from 'typeorm';
import { XID8 } from '../../../platform/database/column-types.js';

/** The deliveries of one webhook about one subject, which are sent one after the other. */
@Entity('webhook_lanes')
export class Lane {
  @PrimaryColumn('uuid', { name: 'webhook_id' })
  webhookId: string;

  @PrimaryColumn('text')
  subject: string;

  /** Rises whenever a delivery is added. */
  @Column('bigint')
  mark: string;

  /** The transaction of the last event. */
  @Column({ type: XID8, name: 'last_xid' })
  lastXid: string;

  @Column('integer', { name: 'last_epoch' })
  lastEpoch: number;

  /** The time of the next attempt; null while nothing is pending. */
  @Column({ type: 'timestamptz', name: 'due_at', precision: 3, nullable: true })
  dueAt: Date | null;

  @Column({ type: 'timestamptz', name: 'touched_at', precision: 3 })
  touchedAt: Date;
}
