import type { ObjectLiteral, Repository } from 'typeorm';

/**
 * Turns the first row of a `RETURNING *` into an entity, with TypeORM's conversions. Throws if no row was written.
 * TypeORM's `save` would do the same with a second statement.
 */
export function returnedEntity<Entity extends ObjectLiteral>(
  repository: Repository<Entity>,
  rows: readonly object[],
): Entity {
  const [row] = rows;
  if (!row) throw new Error('the row to write no longer exists');
  const { driver } = repository.manager.dataSource;
  return repository.create(driver.createGeneratedMap(repository.metadata, row, 0, 1) as Entity);
}

/** Inserts one row in one statement, and returns it with the values that the database added. */
export async function insertReturning<Entity extends ObjectLiteral>(
  repository: Repository<Entity>,
  values: Partial<Entity>,
): Promise<Entity> {
  const { raw } = await repository
    .createQueryBuilder()
    .insert()
    .values(values)
    .returning('*')
    // Otherwise TypeORM writes the returned columns into `values`.
    .updateEntity(false)
    .execute();
  return returnedEntity(repository, raw as object[]);
}
