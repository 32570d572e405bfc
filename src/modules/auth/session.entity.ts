import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One sign-in of one account that is still alive: an ended session is a deleted row. */
@Entity('sessions')
export class Session {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'user_id' })
  userId: string;

  /** The user agent as it called itself, shortened. */
  @Column('text')
  device: string;

  @Column('text')
  ip: string;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  /** To the minute. */
  @Column({ type: 'timestamptz', name: 'last_seen_at', precision: 3 })
  lastSeenAt: Date;

  /** Slides with every refresh, up to `endsAt`. */
  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3 })
  expiresAt: Date;

  /** However often it is refreshed. */
  @Column({ type: 'timestamptz', name: 'ends_at', precision: 3 })
  endsAt: Date;
}
