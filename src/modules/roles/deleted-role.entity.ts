import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The last version of a deleted role, from which a role with the same name continues. */
@Entity('deleted_roles')
export class DeletedRole {
  @PrimaryColumn('text')
  name: string;

  @Column('integer')
  version: number;

  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3 })
  deletedAt: Date;
}
