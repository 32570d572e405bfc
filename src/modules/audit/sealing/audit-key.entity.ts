import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A key pair that signs seals. */
@Entity('audit_keys')
export class AuditKey {
  @PrimaryColumn('text')
  kid: string;

  /** Raw, 32 bytes. */
  @Column('bytea', { name: 'public_key' })
  publicKey: Buffer;

  /** PKCS #8, encrypted with the master key. */
  @Column('bytea', { name: 'private_key_sealed' })
  privateKeyEncrypted: Buffer;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;
}
