import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The use of an IP address by a user in one month. It leads from the address to the digests in audit entries. */
@Entity('audit_ip_users')
export class AuditIpUser {
  /** The digest of the address under a key that is derived from the master key. */
  @PrimaryColumn('bytea')
  ip: Buffer;

  /** The first day of the month (UTC), as `YYYY-MM-DD`. */
  @PrimaryColumn('date')
  month: string;

  /** The user whose key makes `digest`. */
  @PrimaryColumn('uuid', { name: 'user_id' })
  userId: string;

  /** The digest in the entries. */
  @Column('bytea')
  digest: Buffer;
}
