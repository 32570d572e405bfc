import { Column, Entity, PrimaryColumn } from 'typeorm';
import { XID8 } from '../database/column-types.js';

/** A domain event as stored. */
@Entity('events')
export class RecordedEvent {
  @Column({ type: 'integer', insert: false, update: false })
  epoch: number;

  @Column({ type: XID8, insert: false, update: false })
  xid: string;

  @Column({ type: 'bigint', insert: false, update: false })
  seq: string;

  @Column('uuid')
  id: string;

  @Column('text')
  type: string;

  @PrimaryColumn('uuid')
  stream: string;

  @PrimaryColumn('integer', { name: 'stream_version' })
  streamVersion: number;

  /** The user whose key encrypts the data. */
  @Column('uuid')
  subject: string;

  /** The object that the event concerns instead of a user, such as `webhook/<id>`. */
  @Column('text', { nullable: true })
  about: string | null;

  @Column({ type: 'timestamptz', name: 'occurred_at', precision: 3 })
  occurredAt: Date;

  @Column('bytea', { name: 'data_sealed', nullable: true })
  dataEncrypted: Buffer | null;

  /** The work that caused the event (W3C Trace Context). Null if it had no trace. */
  @Column('text', { nullable: true, select: false })
  traceparent: string | null;
}
