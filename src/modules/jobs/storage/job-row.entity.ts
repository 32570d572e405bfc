import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { RowStatus } from '../job-registry.service.js';

/** One item of a bulk job and its result. */
@Entity('job_rows')
export class JobRow {
  @PrimaryColumn('uuid', { name: 'job_id' })
  jobId: string;

  /** Counts from 0. */
  @PrimaryColumn('integer')
  index: number;

  @Column('uuid', { name: 'item_id', nullable: true })
  itemId: string | null;

  /** Null while the item is open. */
  @Column('text', { nullable: true })
  status: RowStatus | null;

  @Column('text', { name: 'error_code', nullable: true })
  errorCode: string | null;

  @Column('text', { name: 'error_message', nullable: true })
  errorMessage: string | null;
}
