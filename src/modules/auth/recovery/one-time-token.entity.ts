import { Column, Entity, PrimaryColumn } from 'typeorm';

export const tokenPurposes = [
  'verify-email',
  'change-email',
  'reset-password',
  'set-password',
  'invitation',
] as const;
/** The purpose of a token. Only an administrator has tokens sent for `set-password` and `invitation`. */
export type TokenPurpose = (typeof tokenPurposes)[number];

/** A token that was sent by email, kept as its hash. */
@Entity('one_time_tokens')
export class OneTimeToken {
  /** SHA-256 of the token. */
  @PrimaryColumn('bytea')
  hash: Buffer;

  @Column('text')
  purpose: TokenPurpose;

  @Column('uuid', { name: 'user_id' })
  userId: string;

  /** The address that the token was sent to. */
  @Column('text')
  email: string;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  /** Set to the current time when the token is used. */
  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3 })
  expiresAt: Date;

  /** The session that requested the token; null if nobody was signed in. */
  @Column('uuid', { name: 'session_id', nullable: true })
  sessionId: string | null;
}
