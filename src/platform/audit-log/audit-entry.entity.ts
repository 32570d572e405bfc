import { Column, Entity, PrimaryColumn } from 'typeorm';
import { XID8 } from '../database/column-types.js';
import type { ActorType, AuditAction, AuditOutcome, AuditReason } from './audit.types.js';

/** An audit entry as stored. The table is partitioned by month and has no primary key. */
@Entity('audit_entries')
export class AuditEntry {
  @PrimaryColumn('uuid')
  id: string;

  @Column({ type: 'integer', insert: false, update: false })
  epoch: number;

  @Column({ type: XID8, insert: false, update: false })
  xid: string;

  @Column({ type: 'bigint', insert: false, update: false })
  seq: string;

  @Column({ type: 'timestamptz', name: 'occurred_at', precision: 3 })
  occurredAt: Date;

  @Column('text', { name: 'actor_type' })
  actorType: ActorType;

  @Column('uuid', { name: 'actor_id', nullable: true })
  actorId: string | null;

  @Column('uuid', { name: 'session_id', nullable: true })
  sessionId: string | null;

  @Column('text')
  action: AuditAction;

  @Column('text', { name: 'target_type', nullable: true })
  targetType: string | null;

  @Column('text', { name: 'target_id', nullable: true })
  targetId: string | null;

  @Column('text')
  outcome: AuditOutcome;

  @Column('text', { name: 'request_id', nullable: true })
  requestId: string | null;

  @Column('text', { name: 'trace_id', nullable: true })
  traceId: string | null;

  /** The user whose key encrypts `originEncrypted`. */
  @Column('uuid', { name: 'origin_key', nullable: true })
  originKey: string | null;

  @Column('bytea', { name: 'origin_sealed', nullable: true })
  originEncrypted: Buffer | null;

  /** The user whose key encrypts `changesEncrypted`. */
  @Column('uuid', { name: 'changes_key', nullable: true })
  changesKey: string | null;

  @Column('bytea', { name: 'changes_sealed', nullable: true })
  changesEncrypted: Buffer | null;

  /** The reason of a refusal. Entries of the first release have it among their changes. */
  @Column('text', { nullable: true })
  reason: AuditReason | null;

  /** The digest of the IP address under the key of `originKey`'s user. */
  @Column('bytea', { name: 'ip_digest', nullable: true })
  ipDigest: Buffer | null;
}
