import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { PasswordHasher } from '../../../platform/crypto/passwords/password.hasher.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { RecoverAdministrator } from '../../users/commands/recover-administrator.command.js';
import { UsersService } from '../../users/users.service.js';
import { SignInThrottle } from '../sign-in/sign-in.throttle.js';

const PASSWORD_BYTES = 18;

/** Restores the access of an administrator, for an operator who can connect as the owner of the database. */
@Injectable()
export class AdminRecoveryService {
  constructor(
    private readonly users: UsersService,
    private readonly commands: CommandBus,
    private readonly hasher: PasswordHasher,
    private readonly throttle: SignInThrottle,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Makes the user with this valid address an active admin, and creates the user if no user has the address.
   * @returns the one-time password, which is not stored
   */
  async recover(email: string): Promise<string> {
    const password = randomBytes(PASSWORD_BYTES).toString('base64url');
    const hash = await this.hasher.hash(password);
    await this.unitOfWork.run(async () => {
      const user = await this.users.findByEmail(email);
      // Guesses at the old password must not delay the new one.
      if (user) await this.throttle.forgetFailures(user.emailKey, user.id);
      await this.commands.execute(new RecoverAdministrator(email, hash));
    });
    return password;
  }
}
