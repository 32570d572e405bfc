import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A counter of failed sign-ins, for one user, one client address, or all of them. */
@Entity('sign_in_failures')
export class SignInFailure {
  /** A keyed digest of the thing that is counted. */
  @PrimaryColumn('bytea')
  key: Buffer;

  @Column('integer')
  failures: number;

  @Column({ type: 'timestamptz', name: 'last_at', precision: 3 })
  lastAt: Date;

  @Column({ type: 'timestamptz', name: 'blocked_until', precision: 3, nullable: true })
  blockedUntil: Date | null;

  /** The number of attempts whose outcome is not known yet. */
  @Column('integer', { name: 'in_flight' })
  inFlight: number;
}
