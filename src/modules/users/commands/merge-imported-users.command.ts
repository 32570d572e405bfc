import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { RolesService } from '../../roles/roles.service.js';
import { type UserEventType, userEventTypes } from '../events/user.event.js';
import { UserHistory } from '../history/user.history.js';
import { LastAdminPolicy } from '../last-admin.policy.js';
import { userSortKeys } from '../listing/user-sort-keys.js';
import { ADMIN, assertNotDeleted } from '../user-rules.js';
import type { User } from '../user.entity.js';
import { type UserChange, UserWriter } from '../user.writer.js';
import { type UserChanges, UsersRepository } from '../users.repository.js';
import type { ImportedUser } from './import-users.command.js';

/** The result of an imported user whose address exists: what was done, or the error that forbids it. */
export type MergeResult =
  | { readonly id: string; readonly action: 'updated' | 'unchanged' | 'skipped' }
  | { readonly error: AppError };

/**
 * Handles imported users whose addresses exist: skips them, or updates the existing users by the rules of
 * single requests. A user without a password gets the imported hash; an existing password stays. Sends no mail.
 * @returns the results in input order, with null for an address that does not exist
 */
export class MergeImportedUsers extends Command<(MergeResult | null)[]> {
  constructor(
    readonly users: readonly ImportedUser[],
    readonly policy: 'skip' | 'update',
    readonly caller: Principal,
  ) {
    super();
  }
}

@CommandHandler(MergeImportedUsers)
export class MergeImportedUsersHandler implements ICommandHandler<MergeImportedUsers> {
  constructor(
    private readonly repository: UsersRepository,
    private readonly writer: UserWriter,
    private readonly roles: RolesService,
    private readonly lastAdminPolicy: LastAdminPolicy,
    private readonly history: UserHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ users, policy, caller }: MergeImportedUsers): Promise<(MergeResult | null)[]> {
    return this.unitOfWork.run(async () => {
      const existing = await this.repository.findByEmails(users.map(({ emailKey }) => emailKey));
      const results = users.map((): MergeResult | null => null);
      // Locks in id order, as every multi-row lock does.
      for (const { id, emailKey, status } of existing) {
        for (const [place, user] of users.entries()) {
          if (user.emailKey !== emailKey) continue;
          if (status === 'deleted') results[place] = { error: takenByDeleted(caller) };
          else if (policy === 'skip') results[place] = { id, action: 'skipped' };
          else results[place] = await this.update(id, user, caller);
        }
      }
      return results;
    });
  }

  /** Every refusal comes before the first write, so the other users of the batch can go on. */
  private async update(id: string, given: ImportedUser, caller: Principal): Promise<MergeResult> {
    try {
      let before = 0;
      const user = await this.writer.updateLocked({ id, caller, condition: null }, (locked) => {
        before = locked.version;
        return this.decide(locked, given, caller);
      });
      const isFirstPassword =
        given.passwordHash !== null && (await this.setPassword(user, given.passwordHash));
      return { id, action: user.version > before || isFirstPassword ? 'updated' : 'unchanged' };
    } catch (error) {
      if (error instanceof AppError && error.status < 500) return { error };
      throw error;
    }
  }

  private async decide(user: User, given: ImportedUser, caller: Principal): Promise<UserChange | null> {
    assertNotDeleted(user);
    const { name, locale, emailVerified } = given;
    const roles = given.roles?.toSorted() ?? user.roles;
    const disabled = given.disabled ?? user.disabled;
    const losesAdmin = user.roles.includes(ADMIN) && !roles.includes(ADMIN);
    const changes: UserChanges[] = [];
    const events: UserEventType[] = [];
    const change = (event: UserEventType, values: UserChanges) => {
      events.push(event);
      changes.push(values);
    };
    const isRenamed = name !== null && name !== user.name;
    const hasNewLocale = typeof locale === 'string' && locale !== user.locale;
    if (isRenamed || hasNewLocale)
      change(userEventTypes.updated, {
        ...(isRenamed && { name, ...userSortKeys(name, user.email) }),
        ...(hasNewLocale && { locale }),
      });
    if (emailVerified !== null && emailVerified !== user.emailVerified)
      change(emailVerified ? userEventTypes.emailConfirmed : userEventTypes.emailUnconfirmed, {
        emailVerified,
      });
    if (roles.join() !== user.roles.join()) {
      await this.roles.assertGrantable(
        roles.filter((role) => !user.roles.includes(role)),
        caller,
      );
      change(userEventTypes.rolesChanged, { roles: [...roles] });
    }
    if ((disabled && !user.disabled) || losesAdmin) await this.lastAdminPolicy.assertNotLast(user);
    if (disabled !== user.disabled)
      change(disabled ? userEventTypes.disabled : userEventTypes.enabled, { disabled });
    return events.length === 0 ? null : { changes: Object.assign({}, ...changes) as UserChanges, events };
  }

  /** Sets the hash of a user without a password. @returns false when the user has one */
  private async setPassword(user: User, hash: string): Promise<boolean> {
    const after = await this.repository.setFirstPassword(user, hash);
    if (after) await this.history.recordSilently(user, after, [userEventTypes.passwordChanged]);
    return after !== null;
  }
}

/** Tells that the user is deleted only to a caller who may see deleted users. */
function takenByDeleted(caller: Principal): AppError {
  const message = caller.permissions.has('users:delete')
    ? 'This email address belongs to a deleted user. Restore the user first'
    : 'This email address is taken';
  return new AppError('CONFLICT', { message });
}
