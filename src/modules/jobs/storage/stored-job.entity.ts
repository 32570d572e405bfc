import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JobStatus } from '../job-registry.service.js';

/** A job as stored, with the fields that only the workers use. */
@Entity('jobs')
export class StoredJob {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text')
  type: string;

  @Column('text')
  status: JobStatus;

  @Column('integer', { nullable: true })
  total: number | null;

  @Column('integer')
  done: number;

  @Column('integer')
  failed: number;

  @Column('uuid', { name: 'owner_id' })
  ownerId: string;

  @Column('uuid', { name: 'session_id' })
  sessionId: string;

  @Column('boolean', { name: 'dry_run' })
  dryRun: boolean;

  @Column('jsonb')
  parameters: Readonly<Record<string, unknown>>;

  @Column('text', { nullable: true })
  traceparent: string | null;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'started_at', precision: 3, nullable: true })
  startedAt: Date | null;

  @Column({ type: 'timestamptz', name: 'finished_at', precision: 3, nullable: true })
  finishedAt: Date | null;

  /** The instance that runs the job. */
  @Column('uuid', { nullable: true, select: false })
  holder: string | null;

  /** The time from which another instance may take the job over. */
  @Column({ type: 'timestamptz', name: 'held_until', precision: 3, nullable: true, select: false })
  heldUntil: Date | null;

  /** The number of times that a run of the job failed. */
  @Column('integer', { select: false })
  breakdowns: number;

  /** Set when the right to run the job ended, for example with its session. */
  @Column({ type: 'timestamptz', name: 'withdrawn_at', precision: 3, nullable: true, select: false })
  withdrawnAt: Date | null;
}
