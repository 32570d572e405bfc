import { Column, Entity, PrimaryColumn } from 'typeorm';
import { XID8 } from '../../platform/database/column-types.js';

/** An object that a user owns. Its meaning is known only to the client that created it. */
@Entity('resources')
export class Resource {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text')
  type: string;

  @Column('text')
  name: string;

  @Column('text', { name: 'external_id', nullable: true })
  externalId: string | null;

  @Column('uuid', { name: 'owner_id' })
  ownerId: string;

  @Column('integer')
  version: number;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3 })
  updatedAt: Date;

  /** Set by a trigger, together with `changedXid`: the position of the last change. */
  @Column({ type: 'integer', name: 'changed_epoch', insert: false, update: false, select: false })
  changedEpoch: number;

  @Column({ type: XID8, name: 'changed_xid', insert: false, update: false, select: false })
  changedXid: string;
}
