import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import { RolesService } from '../roles/roles.service.js';
import { assertVisible } from './account-rules.js';
import type { User } from './user.entity.js';
import { UsersRepository } from './users.repository.js';

/**
 * Decides on whom a caller may act: on themselves, and on whoever holds no permission that the caller lacks. Every
 * way to act on another user goes through it.
 */
@Injectable()
export class Authority {
  constructor(
    private readonly repository: UsersRepository,
    private readonly roles: RolesService,
  ) {}

  /**
   * Holds the user's row, and what the user may do, until the unit of work ends: a grant that is under way is waited
   * for, and a later one waits.
   * @throws AppError `NOT_FOUND` for a user whom the caller does not see, `FORBIDDEN` for one above the caller
   */
  async hold(id: string, caller: Principal): Promise<User> {
    const user = assertVisible(await this.repository.findByIdForUpdate(id), caller);
    if (user.id !== caller.userId) await this.roles.assertNotAbove(user.roles, caller);
    return user;
  }
}
