import { Column, Entity, PrimaryColumn } from 'typeorm';
import { XID8 } from '../../../platform/database/column-types.js';

/** A month that may be missing from the audit log, because a signed statement announced its removal. */
@Entity('audit_retentions')
export class AnnouncedMonth {
  /** `YYYY-MM` */
  @PrimaryColumn('text')
  month: string;

  @Column('bigint')
  entries: string;

  @Column('text')
  leaves: string;

  @Column('bytea', { name: 'seal_hash' })
  sealHash: Buffer;

  @Column({ type: 'timestamptz', name: 'announced_at', precision: 3 })
  announcedAt: Date;

  @Column('text')
  kid: string;

  @Column('bytea')
  hash: Buffer;

  @Column('bytea')
  signature: Buffer;

  @Column('integer')
  epoch: number;

  @Column({ type: XID8 })
  xid: string;

  @Column('bigint')
  seq: string;

  @Column('bytea')
  entry: Buffer;
}
