import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A key pair that signs access tokens. */
@Entity('signing_keys')
export class SigningKey {
  /** The thumbprint of the public key (RFC 7638). */
  @PrimaryColumn('text')
  kid: string;

  /** PKCS #8, encrypted with the master key. */
  @Column('bytea', { name: 'private_key_sealed' })
  privateKeyEncrypted: Buffer;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  /** Null for the first key of a database, which signs at once. */
  @Column({ type: 'timestamptz', name: 'signs_from', precision: 3, nullable: true })
  signsFrom: Date | null;

  /** Null until a newer key replaces it. */
  @Column({ type: 'timestamptz', name: 'verifies_until', precision: 3, nullable: true })
  verifiesUntil: Date | null;
}

/** A key pair that signs refresh tokens. */
@Entity('refresh_signing_keys')
export class RefreshSigningKey extends SigningKey {}
