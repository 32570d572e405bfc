import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { ADMIN } from './user-rules.js';
import type { User } from './user.entity.js';
import { UsersRepository } from './users.repository.js';

/** Ensures that at least one active admin remains who can sign in. */
@Injectable()
export class LastAdminPolicy {
  constructor(private readonly repository: UsersRepository) {}

  /**
   * Rejects removing the rights of the last active admin who can sign in. Runs in the unit of work that removes them.
   * Concurrent changes cannot bypass the check, because all of them take the same lock. An admin without a password
   * does not count as another one, and is protected as well if nobody else is left.
   * @throws AppError `CONFLICT` when no other active admin who can sign in is left
   */
  async assertNotLast(user: User): Promise<void> {
    if (!user.roles.includes(ADMIN) || user.status !== 'active') return;
    await this.repository.lockAdmins();
    if (await this.repository.existsAdminWhoCanSignIn(user.id)) return;
    throw new AppError('CONFLICT', {
      message: (await this.repository.existsActiveAdmin(user.id))
        ? 'No other admin can sign in. Have another admin set a password first'
        : 'This user is the last active admin. Make another user an admin first',
    });
  }
}
