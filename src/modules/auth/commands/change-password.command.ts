import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { RequestOrigin } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { unauthorized } from '../../../common/http/bearer-token.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { PasswordHasher } from '../../../platform/crypto/passwords/password.hasher.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { ReplacePassword } from '../../users/commands/replace-password.command.js';
import { UsersService } from '../../users/users.service.js';
import { SignInThrottle } from '../sign-in/sign-in.throttle.js';
import type { ChangePasswordDto } from '../dto/change-password.dto.js';
import type { TokenResponse } from '../dto/token.response.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { TokensService } from '../sessions/tokens.service.js';

/**
 * Changes the password, ends every session of the user and starts a new one for the caller.
 * @throws AppError `VALIDATION_ERROR` when the current password is wrong or the new one is refused
 */
export class ChangePassword extends Command<TokenResponse> {
  constructor(
    readonly caller: Principal,
    readonly input: ChangePasswordDto,
    readonly origin: RequestOrigin,
  ) {
    super();
  }
}

@CommandHandler(ChangePassword)
export class ChangePasswordHandler implements ICommandHandler<ChangePassword> {
  constructor(
    private readonly commands: CommandBus,
    private readonly users: UsersService,
    private readonly hasher: PasswordHasher,
    private readonly throttle: SignInThrottle,
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
  ) {}

  async execute({ caller, input, origin }: ChangePassword): Promise<TokenResponse> {
    const user = await this.users.getWithPassword(caller.userId);
    const guess = { password: input.current_password, address: user.emailKey };
    const matches = await this.throttle.judge(user, origin.ip, () =>
      this.hasher.matches(guess, user.passwordHash),
    );
    if (!matches) {
      const target = { type: 'user', id: user.id };
      await this.audit.record({ action: 'auth.password_change', target, outcome: 'denied' });
      throw AppError.invalid('current_password', 'current_password is wrong');
    }
    const hash = await this.users.hashPassword(input.new_password, user, 'new_password');
    const started = await this.unitOfWork.run(async () => {
      await this.commands.execute(new ReplacePassword(user, hash, 'auth.password_change'));
      const session = await this.sessions.start({ id: user.id, passwordHash: hash }, origin);
      // The user was disabled meanwhile. A session started now would come alive when the user is enabled
      // again.
      if (!session) throw unauthorized('ended');
      return session;
    });
    return this.tokens.issuePair(user, started);
  }
}
