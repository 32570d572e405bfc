import { Column, Entity, PrimaryColumn } from 'typeorm';

export const webhookStatuses = ['active', 'paused'] as const;
export type WebhookStatus = (typeof webhookStatuses)[number];

/** The reasons of a pause: a request, or a receiver that answered `410 Gone`. */
export const pausedReasons = ['requested', 'gone'] as const;
export type PausedReason = (typeof pausedReasons)[number];

/** An address that receives events. */
@Entity('webhooks')
export class Webhook {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text')
  url: string;

  /** The types of the events to deliver. */
  @Column('text', { array: true })
  types: string[];

  @Column('text', { nullable: true })
  description: string | null;

  @Column('text')
  status: WebhookStatus;

  @Column('text', { name: 'paused_reason', nullable: true })
  pausedReason: PausedReason | null;

  @Column('integer')
  version: number;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3 })
  updatedAt: Date;

  /** The version of the last event about this webhook. */
  @Column('integer', { name: 'last_event', select: false })
  lastEvent: number;

  /** Set once the webhook is deleted. Its row stays until its deliveries are deleted. */
  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true, select: false })
  deletedAt: Date | null;

  /** The instance that sends the deliveries. */
  @Column('uuid', { nullable: true, select: false })
  holder: string | null;

  /** The time from which another instance may take over. */
  @Column({ type: 'timestamptz', name: 'held_until', precision: 3, nullable: true, select: false })
  heldUntil: Date | null;
}
