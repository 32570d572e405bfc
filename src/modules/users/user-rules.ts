import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import type { User } from './user.entity.js';

export const ADMIN = 'admin';
export const FIRST_ADMINISTRATOR_NAME = 'Administrator';
/** The number of days during which a deleted user can be restored. Afterwards the service erases the user. */
export const RESTORABLE_DAYS = 30;

/** Returns false if the user is deleted and the caller lacks `users:delete`. */
export const isVisible = (user: User, caller: Principal): boolean =>
  user.status !== 'deleted' || caller.permissions.has('users:delete');

/**
 * Returns the user. Hides a deleted user from callers without `users:delete`.
 * @throws AppError `NOT_FOUND`
 */
export function assertVisible(user: User | null, caller: Principal): User {
  if (!user || !isVisible(user, caller)) throw new AppError('NOT_FOUND');
  return user;
}

/** Rejects a change to a deleted user. @throws AppError `CONFLICT` */
export function assertNotDeleted(user: User): void {
  if (user.status !== 'deleted') return;
  throw new AppError('CONFLICT', { message: 'This user is deleted. Restore the user first' });
}
