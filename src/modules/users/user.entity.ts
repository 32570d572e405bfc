import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn } from 'typeorm';
import { XID8 } from '../../platform/database/column-types.js';

export const userStatuses = ['active', 'disabled', 'deleted'] as const;
export type UserStatus = (typeof userStatuses)[number];

/** The columns that a query of users returns, under the names of the entity's properties, for hand-written statements. */
export const USER_COLUMNS = `id, email, email_key AS "emailKey", name, name_key AS "nameKey", locale, roles,
  email_verified AS "emailVerified", disabled, deleted_at AS "deletedAt", status, version,
  last_login_at AS "lastLoginAt", created_at AS "createdAt", updated_at AS "updatedAt"`;

/** A user. The `*Key` columns are derived and sort in code-point order on every server. */
@Entity('users')
export class User {
  @PrimaryColumn('uuid')
  id: string;

  /** The address as given, used for display and for mail. */
  @Column('text')
  email: string;

  /** The canonical address, unique and used for sorting. */
  @Column('text', { name: 'email_key' })
  emailKey: string;

  @Column('text')
  name: string;

  /** The folded name, used for sorting. */
  @Column('text', { name: 'name_key' })
  nameKey: string;

  /**
   * The folded name and email address, one per line, used for searching. PostgreSQL appends their compatible
   * form (NFKC).
   */
  @Column('text', { name: 'search_key', select: false })
  searchKey: string;

  /** A PHC string, or null until a password is set. */
  @Column('text', { name: 'password_hash', nullable: true, select: false })
  passwordHash: string | null;

  /** The end of a one-time password, in the past once it was used; null for a password that does not expire. */
  @Column({ type: 'timestamptz', name: 'password_expires_at', precision: 3, nullable: true, select: false })
  passwordExpiresAt: Date | null;

  /** The language in which the service writes to the user, as a canonical language tag. */
  @Column('text', { default: 'en' })
  locale: string;

  @Column('text', { array: true })
  roles: string[];

  @Column('boolean', { name: 'email_verified', default: false })
  emailVerified: boolean;

  @Column('boolean', { default: false })
  disabled: boolean;

  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true })
  deletedAt: Date | null;

  /**
   * Set when the user was erased. Personal columns are blank, and the row remains as a foreign-key target.
   * The status stays `deleted` for good.
   */
  @Column({ type: 'timestamptz', name: 'erased_at', precision: 3, nullable: true, select: false })
  erasedAt: Date | null;

  /** The status, which PostgreSQL generates from `deleted_at` and `disabled`. */
  @Column({ type: 'text', insert: false, update: false })
  status: UserStatus;

  @Column('integer', { default: 1 })
  version: number;

  @Column({ type: 'timestamptz', name: 'last_login_at', precision: 3, nullable: true })
  lastLoginAt: Date | null;

  @CreateDateColumn({ name: 'created_at', type: 'timestamptz', precision: 3 })
  createdAt: Date;

  @UpdateDateColumn({ name: 'updated_at', type: 'timestamptz', precision: 3 })
  updatedAt: Date;

  /** Set by a trigger, together with `changedXid`: the position of the last change that an export can see. */
  @Column({ type: 'integer', name: 'changed_epoch', insert: false, update: false, select: false })
  changedEpoch: number;

  @Column({ type: XID8, name: 'changed_xid', insert: false, update: false, select: false })
  changedXid: string;
}
