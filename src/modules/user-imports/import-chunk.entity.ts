import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A chunk of the lines of an import, with the results once it has been imported. */
@Entity('import_pieces')
export class ImportChunk {
  @PrimaryColumn('uuid', { name: 'job_id' })
  jobId: string;

  /** The index of the first line, from 0. */
  @PrimaryColumn('integer', { name: 'first_index' })
  firstIndex: number;

  @Column('integer')
  lines: number;

  /** The encrypted lines; null once the chunk is settled or skipped. */
  @Column('bytea', { name: 'sealed', nullable: true })
  encryptedLines: Buffer | null;

  /** Null while the chunk is open. */
  @Column('text', { nullable: true })
  status: 'settled' | 'skipped' | null;

  @Column('integer')
  done: number;

  @Column('integer')
  failed: number;

  /** One for each line; null for a line that failed, or that a dry run would create. */
  @Column('uuid', { name: 'item_ids', array: true, nullable: true })
  itemIds: (string | null)[] | null;

  @Column('text', { name: 'error_codes', array: true, nullable: true })
  errorCodes: (string | null)[] | null;

  @Column('text', { name: 'error_messages', array: true, nullable: true })
  errorMessages: (string | null)[] | null;

  /** The number of each line in the file, from 1; null for a chunk settled by release 0.1.0. */
  @Column('integer', { name: 'line_numbers', array: true, nullable: true })
  lineNumbers: number[] | null;

  /** The action on each line; null when every user was created. */
  @Column('text', { array: true, nullable: true })
  actions: (string | null)[] | null;

  /** The encrypted rows that led to no user, kept for a day after the end of the job. */
  @Column('bytea', { nullable: true })
  rejected: Buffer | null;

  @Column({ type: 'timestamptz', name: 'staged_at', precision: 3 })
  stagedAt: Date;
}
