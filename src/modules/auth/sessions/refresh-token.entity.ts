import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * A refresh token by its id. The token itself is not stored. A live session has rows for its live token and
 * its recently spent ones. A token without a row was spent long ago.
 */
@Entity('refresh_tokens')
export class RefreshToken {
  @PrimaryColumn('uuid')
  jti: string;

  @Column('uuid', { name: 'session_id' })
  sessionId: string;

  /**
   * The issue time in whole seconds, as in the token, so that a successor that is handed out again is
   * identical.
   */
  @Column({ type: 'timestamptz', name: 'issued_at', precision: 0 })
  issuedAt: Date;

  @Column({ type: 'timestamptz', name: 'expires_at', precision: 0 })
  expiresAt: Date;

  @Column({ type: 'timestamptz', name: 'spent_at', precision: 3, nullable: true })
  spentAt: Date | null;

  @Column('uuid', { nullable: true })
  successor: string | null;
}
