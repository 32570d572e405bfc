import type { Principal } from '../../common/authorization/principal.js';
import { AppError } from '../../common/errors/app-error.js';
import type { User } from './user.entity.js';

export const ADMIN = 'admin';
export const FIRST_ADMINISTRATOR_NAME = 'Administrator';
/** After a deletion; then the account is erased. */
export const RESTORABLE_DAYS = 30;

/** A deleted account is there only for those who may restore it. @throws AppError `NOT_FOUND` */
export function assertVisible(user: User | null, caller: Principal): User {
  const hidden = user?.status === 'deleted' && !caller.permissions.has('users:delete');
  if (!user || hidden) throw new AppError('NOT_FOUND');
  return user;
}

/** @throws AppError `CONFLICT` */
export function assertNotDeleted(user: User): void {
  if (user.status !== 'deleted') return;
  throw new AppError('CONFLICT', { message: 'The account is deleted: restore it first' });
}
