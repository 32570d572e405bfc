import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The key under which the personal data of one user in the history is encrypted. */
@Entity('account_keys')
export class UserEncryptionKey {
  @PrimaryColumn('uuid', { name: 'user_id' })
  userId: string;

  /** The key, encrypted with the master key; null once it is destroyed. */
  @Column('bytea', { nullable: true })
  wrapped: Buffer | null;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'destroyed_at', precision: 3, nullable: true })
  destroyedAt: Date | null;
}
