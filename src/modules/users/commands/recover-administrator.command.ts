import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { canonicalEmail } from '../../../common/email-address.js';
import { DEFAULT_LOCALE } from '../../../common/locale.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { DEFAULT_ROLE } from '../../roles/roles.service.js';
import { UserHistory } from '../history/user.history.js';
import { ADMIN, FIRST_ADMINISTRATOR_NAME } from '../user-rules.js';
import { type UserEventType, userEventTypes } from '../events/user.event.js';
import type { User } from '../user.entity.js';
import { UserRegistration } from '../user-registration.service.js';
import { UsersRepository } from '../users.repository.js';

/** The lifetime of a one-time password in seconds. */
export const ONE_TIME_PASSWORD_SECONDS = 3600;

/**
 * Makes the user with this address an active admin and gives the user a password for one sign-in. Creates the user if
 * nobody has the address. Ends all sessions of the user.
 */
export class RecoverAdministrator extends Command<User> {
  constructor(
    /** A valid address. */
    readonly email: string,
    readonly passwordHash: string,
  ) {
    super();
  }
}

@CommandHandler(RecoverAdministrator)
export class RecoverAdministratorHandler implements ICommandHandler<RecoverAdministrator> {
  constructor(
    private readonly repository: UsersRepository,
    private readonly registration: UserRegistration,
    private readonly history: UserHistory,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  execute({ email, passwordHash }: RecoverAdministrator): Promise<User> {
    return this.unitOfWork.run(async () => {
      const found = await this.repository.findByEmail(canonicalEmail(email));
      const locked = found && (await this.repository.findByIdForUpdate(found.id));
      // A pending check of the last admin must see that this user no longer has a lasting password.
      await this.repository.lockAdmins();
      const admin = locked ? await this.reinstate(locked) : await this.create(email);
      const recovered = await this.repository.setOneTimePassword(
        admin,
        passwordHash,
        ONE_TIME_PASSWORD_SECONDS,
      );
      await this.history.record(admin, recovered, [userEventTypes.passwordChanged], {
        action: 'user.recover',
      });
      return recovered;
    });
  }

  private async create(email: string): Promise<User> {
    const user = await this.registration.prepare({
      email,
      name: FIRST_ADMINISTRATOR_NAME,
      password: null,
      locale: DEFAULT_LOCALE,
      roles: [ADMIN, DEFAULT_ROLE],
    });
    return this.registration.insert(user);
  }

  private async reinstate(user: User): Promise<User> {
    const events: UserEventType[] = [];
    if (user.deletedAt) events.push(userEventTypes.restored);
    if (user.disabled) events.push(userEventTypes.enabled);
    if (!user.roles.includes(ADMIN)) events.push(userEventTypes.rolesChanged);
    if (events.length === 0) return user;
    const roles = [...new Set([...user.roles, ADMIN])].toSorted();
    const changes = { deleted: false, disabled: false, roles };
    const changed = await this.repository.update(user, changes, events.length);
    // The address stays, so nobody else can have it.
    if (!changed) throw new Error('the address of the user is taken');
    await this.history.record(user, changed, events);
    return changed;
  }
}
