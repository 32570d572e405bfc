import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { RolesService } from '../roles/roles.service.js';
import { assertVisible } from './user-rules.js';
import type { User } from './user.entity.js';
import { UsersRepository } from './users.repository.js';

/**
 * Decides which users a caller may act on: the caller's own user, and users who hold no permission that the
 * caller lacks. Every action on another user must pass this check.
 */
@Injectable()
export class UserAuthorityPolicy {
  constructor(
    private readonly repository: UsersRepository,
    private readonly roles: RolesService,
  ) {}

  /**
   * Locks the user's row and the permissions of the user's roles until the unit of work ends. Waits for a
   * grant that is in progress; later grants wait for this lock.
   * @throws AppError `NOT_FOUND` when the caller cannot see the user, `FORBIDDEN` when the user holds a
   * permission that the caller lacks
   */
  async lockManageable(id: string, caller: Principal): Promise<User> {
    const user = assertVisible(await this.repository.findByIdForUpdate(id), caller);
    if (user.id !== caller.userId) await this.roles.assertNotAbove(user.roles, caller);
    return user;
  }
}
