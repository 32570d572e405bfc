import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A live session of a user. Ending a session deletes its row. */
@Entity('sessions')
export class Session {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'user_id' })
  userId: string;

  /** The client's User-Agent header, shortened. */
  @Column('text')
  device: string;

  @Column('text')
  ip: string;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  /** The last use, truncated to the minute. */
  @Column({ type: 'timestamptz', name: 'last_seen_at', precision: 3 })
  lastSeenAt: Date;

  /** The end of the idle time. Every refresh moves it forward, up to `endsAt`. */
  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3 })
  expiresAt: Date;

  /** The absolute end of the session. No refresh moves it. */
  @Column({ type: 'timestamptz', name: 'ends_at', precision: 3 })
  endsAt: Date;
}
