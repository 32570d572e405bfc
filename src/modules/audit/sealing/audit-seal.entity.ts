import { Column, Entity, PrimaryColumn } from 'typeorm';
import { XID8 } from '../../../platform/database/column-types.js';

/** A signed Merkle root over the audit entries up to a position. */
@Entity('audit_seals')
export class AuditSeal {
  @PrimaryColumn('bigint')
  number: string;

  @Column('integer')
  epoch: number;

  @Column({ type: XID8 })
  xid: string;

  @Column('bigint')
  seq: string;

  /** The number of entries that the seal covers. */
  @Column('integer')
  entries: number;

  @Column('bytea')
  root: Buffer;

  /** The hash of the previous seal. */
  @Column('bytea')
  previous: Buffer;

  @Column({ type: 'timestamptz', name: 'sealed_at', precision: 3 })
  sealedAt: Date;

  @Column('text')
  kid: string;

  @Column('bytea')
  hash: Buffer;

  @Column('bytea')
  signature: Buffer;

  /** The newest version of leaves that the sealer knew. */
  @Column('smallint', { name: 'leaf_version' })
  leafVersion: number;

  /** 32 bytes for each entry. */
  @Column('bytea', { name: 'leaf_hashes', select: false })
  leafHashes: Buffer;
}
