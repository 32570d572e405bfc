import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A running instance, as its last heartbeat described it. */
@Entity('instances')
export class Instance {
  @PrimaryColumn('uuid')
  id: string;

  /** The name of its machine, or of its pod. */
  @Column('text')
  host: string;

  @Column('text')
  version: string;

  @Column('text', { nullable: true })
  commit: string | null;

  @Column({ type: 'timestamptz', name: 'started_at', precision: 3 })
  startedAt: Date;

  @Column({ type: 'timestamptz', name: 'seen_at', precision: 3 })
  seenAt: Date;
}
