import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A period in which transaction ids of one database cluster are comparable. The owner begins one at a start. */
@Entity('history_epochs')
export class HistoryEpoch {
  @PrimaryColumn('integer')
  epoch: number;

  @Column('bigint', { name: 'system_identifier' })
  systemIdentifier: string;

  @Column('text')
  timeline: string;

  @Column({ type: 'timestamptz', name: 'began_at', precision: 3 })
  beganAt: Date;
}
