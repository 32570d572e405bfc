import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { RequestOrigin } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { PasswordHasher } from '../../../platform/crypto/passwords/password.hasher.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { ChangeEmail } from '../../users/commands/change-email.command.js';
import { ReplacePassword } from '../../users/commands/replace-password.command.js';
import { VerifyEmail } from '../../users/commands/verify-email.command.js';
import { UsersService } from '../../users/users.service.js';
import { UserMailsService } from './user-mails.service.js';
import { SignInThrottle } from '../sign-in/sign-in.throttle.js';
import type { ChangeEmailDto } from '../dto/change-email.dto.js';
import type { WhichSessions } from '../events/sessions-revoked.event.js';
import type { TokenPurpose } from './one-time-token.entity.js';
import { type MailedToken, OneTimeTokensRepository } from './one-time-tokens.repository.js';
import { SessionsService } from '../sessions/sessions.service.js';

const TOO_MANY_CHANGES = 'Too many email changes were requested; confirm the last one or try again later';
/** The purposes of the tokens that set a password. */
const SETS_PASSWORD: readonly TokenPurpose[] = ['reset-password', 'set-password', 'invitation'];

type EmailChangeInput = Awaited<ReturnType<UsersService['getWithPassword']>>;

/** Handles what a mailed token proves: control of an address, and the right to set a new password. */
@Injectable()
export class RecoveryService {
  constructor(
    private readonly users: UsersService,
    private readonly commands: CommandBus,
    private readonly tokens: OneTimeTokensRepository,
    private readonly mails: UserMailsService,
    private readonly sessions: SessionsService,
    private readonly hasher: PasswordHasher,
    private readonly throttle: SignInThrottle,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
  ) {}

  forgotPassword(email: string): Promise<void> {
    return this.mails.enqueueRequest('reset-password', email);
  }

  resendVerification(email: string): Promise<void> {
    return this.mails.enqueueRequest('verify-email', email);
  }

  /**
   * Sets a new password, and confirms the address that the token was mailed to. The token is used in the same
   * transaction, so a refused password leaves it valid.
   * Clears the failures of the user, because guesses at the old password must not delay the new one.
   * @throws AppError `VALIDATION_ERROR` for a token or a password that is not accepted
   */
  async resetPassword(token: string, password: string): Promise<void> {
    const granted = await this.tokens.find(token, SETS_PASSWORD);
    if (!granted) throw invalidToken();
    const user = await this.users.getWithPassword(granted.userId);
    // The token proves access to its address, which may no longer be the user's address.
    if (user.status !== 'active' || user.email !== granted.email) throw invalidToken();
    const hash = await this.users.hashPassword(password, user, 'new_password');
    await this.unitOfWork.run(async () => {
      await this.users.lockActive(user.id);
      if (!(await this.tokens.use(token, [granted.purpose]))) throw invalidToken();
      await this.throttle.forgetFailures(user.emailKey, user.id);
      await this.commands.execute(new ReplacePassword(user, hash, 'auth.password_reset'));
      await this.commands.execute(new VerifyEmail(user.id, granted.email));
    });
  }

  /** Confirms the user's current address or a requested new one. */
  async confirmEmail(token: string): Promise<void> {
    const found = await this.tokens.find(token, ['verify-email', 'change-email']);
    if (!found) throw invalidToken();
    await this.unitOfWork.run(async () => {
      await this.users.lockActive(found.userId);
      const granted = await this.tokens.use(token, [found.purpose]);
      if (!granted) throw invalidToken();
      const Confirm = granted.purpose === 'change-email' ? ChangeEmail : VerifyEmail;
      await this.commands.execute(new Confirm(granted.userId, granted.email));
    });
  }

  /**
   * Mails a token to the new address and a notice to the old one. Does not reveal whether the new address is
   * taken. A request over the mail limit changes nothing, so the last token stays valid.
   * @throws AppError `VALIDATION_ERROR` when the password is wrong, `RATE_LIMITED`
   */
  async requestEmailChange(caller: Principal, input: ChangeEmailDto, origin: RequestOrigin): Promise<void> {
    const user = await this.users.getWithPassword(caller.userId);
    // Runs before the transaction, so that a failure stays counted when the refusal rolls back the rest.
    await this.unitOfWork.outside(() => this.assertPassword(user, input.password, origin));
    await this.unitOfWork.run(async () => {
      await this.users.lockActive(user.id);
      await this.sessions.lockForShare(caller);
      if (!(await this.mails.sendToken('change-email', user, input.new_email, caller.sessionId))) {
        throw await this.mails.tooMany('change-email', user.id, TOO_MANY_CHANGES);
      }
      await this.mails.sendNotice('email-change-requested', user);
      await this.audit.record({ action: 'auth.email_change', target: { type: 'user', id: user.id } });
    });
  }

  /** Returns the tokens recently mailed to the user or on the user's behalf. */
  findMailedTokens(userId: string): Promise<MailedToken[]> {
    return this.tokens.findOfUser(userId);
  }

  /**
   * Expires the user's mailed tokens. After a change of password or address, the old mailbox may belong to
   * somebody else. A disable or delete cancels what was under way, even if the user is later enabled or restored.
   */
  async expireTokens(userId: string): Promise<void> {
    await this.tokens.expireOfUser(userId);
  }

  /**
   * Expires the tokens when every session is revoked. Revoking some sessions leaves the tokens of the others
   * valid.
   */
  async expireTokensOnSignOut(userId: string, which: WhichSessions): Promise<void> {
    if (which.exceptSessionId === null) await this.tokens.expireOfUser(userId);
  }

  async deleteTokens(userId: string): Promise<void> {
    await this.tokens.deleteOfUser(userId);
  }

  private async assertPassword(
    user: EmailChangeInput,
    password: string,
    { ip }: RequestOrigin,
  ): Promise<void> {
    const guess = { password, address: user.emailKey };
    const matches = await this.throttle.judge(user, ip, () => this.hasher.matches(guess, user.passwordHash));
    if (matches) return;
    const target = { type: 'user', id: user.id };
    await this.audit.record({ action: 'auth.email_change', target, outcome: 'denied' });
    throw AppError.invalid('password', 'password is wrong');
  }
}

const invalidToken = (): AppError =>
  AppError.invalid('token', 'token is not valid, was used, or has expired');
