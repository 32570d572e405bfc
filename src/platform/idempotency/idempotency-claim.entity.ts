import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An idempotency key whose request is still running. */
@Entity('idempotency_claims')
export class IdempotencyClaim {
  @PrimaryColumn('bytea')
  scope: Buffer;

  @Column('uuid')
  holder: string;

  @Column({ type: 'timestamptz', name: 'held_until', precision: 3 })
  heldUntil: Date;
}
