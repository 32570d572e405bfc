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
}
