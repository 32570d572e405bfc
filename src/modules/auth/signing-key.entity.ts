import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One key pair that signs access tokens (ES256). */
@Entity('signing_keys')
export class SigningKey {
  /** The thumbprint of the public key (RFC 7638). */
  @PrimaryColumn('text')
  kid: string;

  /** PKCS #8, sealed by the master key. */
  @Column('bytea', { name: 'private_key_sealed' })
  privateKeySealed: Buffer;

  @Column({ type: 'timestamptz', name: 'created_at', insert: false, precision: 3 })
  createdAt: Date;

  /** Published before it signs, so that whoever verifies has it by then. Null: at once. */
  @Column({ type: 'timestamptz', name: 'signs_from', precision: 3, nullable: true })
  signsFrom: Date | null;

  /** When the last token that it signed is dead. Null while it signs, or will. */
  @Column({ type: 'timestamptz', name: 'verifies_until', precision: 3, nullable: true })
  verifiesUntil: Date | null;
}
