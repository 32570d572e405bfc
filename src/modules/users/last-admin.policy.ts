import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app.error.js';
import { ADMIN } from './user-rules.js';
import type { User } from './user.entity.js';
import { UsersRepository } from './users.repository.js';

/** Ensures that at least one active admin remains. */
@Injectable()
export class LastAdminPolicy {
  constructor(private readonly repository: UsersRepository) {}

  /**
   * Rejects removing the rights of the last active admin. Runs in the unit of work that removes them.
   * Concurrent changes cannot bypass the check, because all of them take the same lock.
   * @throws AppError `CONFLICT` when no other active admin is left
   */
  async assertNotLast(user: User): Promise<void> {
    if (!user.roles.includes(ADMIN) || user.status !== 'active') return;
    await this.repository.lockAdmins();
    if (await this.repository.existsActiveAdmin(user.id)) return;
    throw new AppError('CONFLICT', {
      message: 'This user is the last active admin. Make another user an admin first',
    });
  }
}
