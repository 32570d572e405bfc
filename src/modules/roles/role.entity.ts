import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A named set of permissions; the permissions are rows of their own. */
@Entity('roles')
export class Role {
  @PrimaryColumn('text')
  name: string;

  /** Comes with the product and cannot be changed. */
  @Column('boolean')
  shipped: boolean;

  @Column('integer')
  version: number;
}
