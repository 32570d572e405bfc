import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A replay in progress, which makes deliveries of former events. */
@Entity('webhook_replays')
export class Replay {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'webhook_id' })
  webhookId: string;

  /** The range of time, inclusive. */
  @Column({ type: 'timestamptz', name: 'from_time', precision: 3 })
  from: Date;

  /** The end of the range, exclusive. */
  @Column({ type: 'timestamptz', name: 'to_time', precision: 3 })
  to: Date;

  /** The position of the last event that has its delivery; null before the first. */
  @Column('text', { name: 'after_position', nullable: true })
  after: string | null;

  /** The position of the last event in the range; null until it is known. */
  @Column('text', { name: 'last_position', nullable: true })
  last: string | null;
}
