import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A named set of permissions. Each permission is a row of its own. */
@Entity('roles')
export class Role {
  @PrimaryColumn('text')
  name: string;

  /** Marks a role that ships with the product and cannot be changed. */
  @Column('boolean')
  shipped: boolean;

  @Column('integer')
  version: number;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3 })
  updatedAt: Date;
}
