import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * One refresh token by its id; the token itself is stored nowhere. Of a session that is alive there
 * are its live token and those that were spent lately: one that is not here was spent long ago.
 */
@Entity('refresh_tokens')
export class RefreshToken {
  @PrimaryColumn('uuid')
  jti: string;

  @Column('uuid', { name: 'session_id' })
  sessionId: string;

  /** In whole seconds, as in the token: a successor that is handed out again is the same. */
  @Column({ type: 'timestamptz', name: 'issued_at', precision: 0 })
  issuedAt: Date;

  @Column({ type: 'timestamptz', name: 'expires_at', precision: 0 })
  expiresAt: Date;

  @Column({ type: 'timestamptz', name: 'spent_at', precision: 3, nullable: true })
  spentAt: Date | null;

  @Column('uuid', { nullable: true })
  successor: string | null;
}
