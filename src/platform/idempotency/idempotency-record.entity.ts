import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A stored response, for a client that repeats a request with the same Idempotency-Key. */
@Entity('idempotency_records')
export class IdempotencyRecord {
  @PrimaryColumn('bytea')
  scope: Buffer;

  /** A digest of the request. */
  @Column('bytea')
  request: Buffer;

  /** The encrypted response. */
  @Column('bytea')
  answer: Buffer;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  /** The user whose key encrypts the response; null for the master key. */
  @Column('uuid', { nullable: true })
  subject: string | null;
}
