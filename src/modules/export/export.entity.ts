import { Column, Entity, PrimaryColumn } from 'typeorm';
import { PG_SNAPSHOT } from '../../platform/database/column-types.js';

/** An export and the moment that it describes. */
@Entity('exports')
export class Export {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text')
  kind: string;

  @Column('uuid', { name: 'user_id' })
  userId: string;

  @Column('uuid', { name: 'session_id' })
  sessionId: string;

  @Column('integer')
  epoch: number;

  /** The transactions that had committed at that moment. */
  @Column({ type: PG_SNAPSHOT })
  snapshot: string;

  @Column({ type: 'timestamptz', name: 'snapshot_at', precision: 3 })
  snapshotAt: Date;

  @Column('bigint', { name: 'total_estimate' })
  totalEstimate: string;

  /** The number of months that retention had dropped from the audit log by then. */
  @Column('integer', { name: 'months_dropped' })
  monthsDropped: number;
}
