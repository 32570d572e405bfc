import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.types.js';
import { AppError } from '../../common/errors/app.error.js';
import type { Preconditions } from '../../common/http/preconditions/preconditions.decorator.js';
import { UnitOfWork } from '../../platform/database/transactions/unit-of-work.js';
import { UserHistory } from './history/user.history.js';
import { UserAuthorityPolicy } from './user-authority.policy.js';
import type { UserEventType } from './events/user.event.js';
import type { User } from './user.entity.js';
import { type UserChanges, UsersRepository } from './users.repository.js';

/** The decision of a command: the columns to write and the events to record. */
export interface UserChange {
  readonly changes: UserChanges;
  readonly events: readonly UserEventType[];
}

interface UpdateTarget {
  readonly id: string;
  readonly caller: Principal;
  readonly condition: Preconditions | null;
}

type Decide = (user: User) => UserChange | null | Promise<UserChange | null>;

/**
 * Changes one user at a time: locks the row, asks the command for a decision, writes it and records its
 * events.
 */
@Injectable()
export class UserWriter {
  constructor(
    private readonly repository: UsersRepository,
    private readonly authority: UserAuthorityPolicy,
    private readonly history: UserHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Changes the user if the caller may see and act on the user and the condition holds. Checks all of it
   * after locking the row.
   * @throws AppError `NOT_FOUND`, `FORBIDDEN`, `PRECONDITION_FAILED`
   */
  updateLocked({ id, caller, condition }: UpdateTarget, decide: Decide): Promise<User> {
    return this.unitOfWork.run(async () => {
      const user = await this.authority.lockManageable(id, caller);
      condition?.assertWrite(user);
      return this.apply(user, decide);
    });
  }

  /**
   * Changes the user on behalf of the service itself.
   * @throws AppError `NOT_FOUND` unless the user is active
   */
  updateActive(id: string, decide: Decide): Promise<User> {
    return this.unitOfWork.run(async () => {
      const user = await this.repository.findByIdForUpdate(id);
      if (user?.status !== 'active') throw new AppError('NOT_FOUND');
      return this.apply(user, decide);
    });
  }

  /**
   * Writes the decision, or changes nothing if it is null.
   * @throws AppError `CONFLICT` when the address is taken
   */
  private async apply(user: User, decide: Decide): Promise<User> {
    const change = await decide(user);
    if (!change) return user;
    const changed = await this.repository.update(user, change.changes, change.events.length);
    if (!changed) throw new AppError('CONFLICT', { message: 'This email address is taken' });
    await this.history.record(user, changed, change.events);
    return changed;
  }
}
