import { Column, Entity, PrimaryColumn } from 'typeorm';
import { XID8 } from '../../platform/database/column-types.js';

/** A former state of a user, written by a trigger, so that an export can describe a past moment. The table has no primary key. */
@Entity('user_images')
export class UserImage {
  @PrimaryColumn('uuid')
  id: string;

  @Column('integer', { name: 'from_epoch' })
  fromEpoch: number;

  /** The transaction that made this state. */
  @Column({ type: XID8, name: 'from_xid' })
  fromXid: string;

  @PrimaryColumn('integer', { name: 'to_epoch' })
  toEpoch: number;

  /** The transaction that ended this state. */
  @PrimaryColumn({ type: XID8, name: 'to_xid' })
  toXid: string;

  @Column({ type: 'timestamptz', name: 'written_at', precision: 3 })
  writtenAt: Date;

  @Column('text')
  email: string;

  @Column('text')
  name: string;

  @Column('text', { name: 'search_key' })
  searchKey: string;

  @Column('text')
  locale: string;

  @Column('text')
  status: string;

  @Column('text', { array: true })
  roles: string[];

  @Column('boolean', { name: 'email_verified' })
  emailVerified: boolean;

  @Column('integer')
  version: number;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3 })
  updatedAt: Date;
}
