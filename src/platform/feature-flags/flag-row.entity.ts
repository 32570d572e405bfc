import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The setting of a flag that somebody has changed. */
@Entity('feature_flags')
export class FlagRow {
  @PrimaryColumn('text')
  key: string;

  /** The stream of the flag's events. */
  @Column('uuid')
  stream: string;

  @Column('boolean')
  enabled: boolean;

  @Column('smallint', { name: 'rollout_percent' })
  rolloutPercent: number;

  @Column('uuid', { name: 'allow_user_ids', array: true })
  allowUserIds: string[];

  @Column('integer')
  version: number;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3 })
  updatedAt: Date;
}
