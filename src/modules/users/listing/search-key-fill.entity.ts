import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The progress of the background task that completes the search keys of older rows; a table of one row. */
@Entity('search_key_fill')
export class SearchKeyFillProgress {
  @PrimaryColumn('boolean', { name: 'only_row' })
  onlyRow: boolean;

  /** The last user that the task has passed. */
  @Column('uuid', { name: 'after_id' })
  afterId: string;

  @Column({ type: 'timestamptz', name: 'finished_at', precision: 3, nullable: true })
  finishedAt: Date | null;
}
