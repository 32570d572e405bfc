import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A sign-in attempt whose outcome is not known yet. */
@Entity('sign_in_attempts')
export class SignInAttempt {
  @PrimaryColumn('uuid')
  id: string;

  /** The counters that this attempt occupies. */
  @Column('bytea', { array: true })
  keys: (Buffer | null)[];

  /** The last time that the instance which runs the attempt was alive. */
  @Column({ type: 'timestamptz', name: 'seen_at', precision: 3 })
  seenAt: Date;
}
