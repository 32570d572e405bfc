import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import { ADMIN } from './account-rules.js';
import type { User } from './user.entity.js';
import { UsersRepository } from './users.repository.js';

/** Somebody must be left who can do everything. */
@Injectable()
export class LastAdmin {
  constructor(private readonly repository: UsersRepository) {}

  /**
   * In the unit of work that takes the account's rights away. Holds for every concurrent change too:
   * they queue for the same lock.
   * @throws AppError `CONFLICT` when no other active admin is left
   */
  async assertNot(user: User): Promise<void> {
    if (!user.roles.includes(ADMIN) || user.status !== 'active') return;
    await this.repository.lockAdmins();
    if (await this.repository.existsActiveAdmin(user.id)) return;
    throw new AppError('CONFLICT', { message: 'This is the last active admin' });
  }
}
