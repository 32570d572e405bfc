import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A secret that signs the deliveries of a webhook. After a rotation the former one signs too until it expires. */
@Entity('webhook_secrets')
export class WebhookSecret {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'webhook_id' })
  webhookId: string;

  /** The secret, encrypted with the master key. */
  @Column('bytea', { name: 'secret_sealed' })
  secretEncrypted: Buffer;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  /** Null for the current secret. */
  @Column({ type: 'timestamptz', name: 'expires_at', precision: 3, nullable: true })
  expiresAt: Date | null;
}
