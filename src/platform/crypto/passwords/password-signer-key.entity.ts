import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A key of another system that the password hashes of an import need. */
@Entity('password_signer_keys')
export class PasswordSignerKey {
  /** Derived from the import and the key, so that an import stores a key once. */
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'import_id' })
  importId: string;

  /** The key, encrypted with the master key. */
  @Column('bytea', { name: 'sealed' })
  encrypted: Buffer;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;
}
