import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Principal } from '../../common/authorization/principal.js';
import { AppError } from '../../common/errors/app-error.js';
import { AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { PasswordHasher } from '../../platform/crypto/password-hasher.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { type UserEvent, userEventTypes } from '../users/events/user-events.js';
import { ChangeEmail } from '../users/commands/change-email.command.js';
import { ReplacePassword } from '../users/commands/replace-password.command.js';
import { VerifyEmail } from '../users/commands/verify-email.command.js';
import { UsersService } from '../users/users.service.js';
import { AccountMails } from './account-mails.js';
import { BruteForce } from './brute-force.js';
import type { Client } from './client.js';
import type { ChangeEmailDto } from './dto/change-email.dto.js';
import { sessionEventTypes, type SessionsRevoked } from './events/session-events.js';
import { type MailedToken, OneTimeTokensRepository } from './one-time-tokens.repository.js';
import { SessionsService } from './sessions.service.js';

type Asked = Awaited<ReturnType<UsersService['getWithPassword']>>;

/** What is proven by mail: that an address is somebody's, and who may set a new password. */
@Injectable()
export class RecoveryService {
  constructor(
    private readonly users: UsersService,
    private readonly commands: CommandBus,
    private readonly tokens: OneTimeTokensRepository,
    private readonly mails: AccountMails,
    private readonly sessions: SessionsService,
    private readonly hasher: PasswordHasher,
    private readonly bruteForce: BruteForce,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditTrail,
  ) {}

  forgotPassword(email: string): Promise<void> {
    return this.mails.request('reset-password', email);
  }

  resendVerification(email: string): Promise<void> {
    return this.mails.request('verify-email', email);
  }

  /**
   * The token is used up together with the change: a password that is refused leaves it good. Whoever
   * guessed at the old one holds nobody back from the new one.
   * @throws AppError `VALIDATION_ERROR` for a token or a password that is not accepted
   */
  async resetPassword(token: string, password: string): Promise<void> {
    const granted = await this.tokens.find(token, ['reset-password']);
    if (!granted) throw refusedToken();
    const user = await this.users.getWithPassword(granted.userId);
    // It proves who reads that address, which may be the account's no more.
    if (user.status !== 'active' || user.email !== granted.email) throw refusedToken();
    const hash = await this.users.hashPassword(password, user, 'new_password');
    await this.unitOfWork.run(async () => {
      await this.users.holdActive(user.id);
      if (!(await this.tokens.use(token, ['reset-password']))) throw refusedToken();
      await this.bruteForce.forget(user.emailKey, user.id);
      await this.commands.execute(new ReplacePassword(user, hash, 'auth.password_reset'));
    });
  }

  /** Confirms an address, be it the account's own or the one that it is to have. */
  async confirmEmail(token: string): Promise<void> {
    const found = await this.tokens.find(token, ['verify-email', 'change-email']);
    if (!found) throw refusedToken();
    await this.unitOfWork.run(async () => {
      await this.users.holdActive(found.userId);
      const granted = await this.tokens.use(token, [found.purpose]);
      if (!granted) throw refusedToken();
      const Confirm = granted.purpose === 'change-email' ? ChangeEmail : VerifyEmail;
      await this.commands.execute(new Confirm(granted.userId, granted.email));
    });
  }

  /**
   * Mails the new address a token, and the old one a word. Whether the new one is taken is not said.
   * A request past the limit of mails changes nothing: the token of the last one stays good.
   * @throws AppError `VALIDATION_ERROR` when the password is wrong, `RATE_LIMITED`
   */
  async requestEmailChange(caller: Principal, input: ChangeEmailDto, client: Client): Promise<void> {
    const user = await this.users.getWithPassword(caller.userId);
    // A failure stays counted, although the refusal takes back what else was done.
    await this.unitOfWork.beforehand(() => this.assertPassword(user, input.password, client));
    await this.unitOfWork.run(async () => {
      await this.users.holdActive(user.id);
      await this.sessions.hold(caller);
      if (!(await this.mails.sendToken('change-email', user, input.new_email, caller.sessionId))) {
        throw await this.tooManyMails(user.id);
      }
      await this.mails.send('email-change-requested', user);
      await this.audit.record({ action: 'auth.email_change', target: { type: 'user', id: user.id } });
    });
  }

  /** What was mailed to the account, or in its name, lately. */
  findMailedTokens(userId: string): Promise<MailedToken[]> {
    return this.tokens.findOfUser(userId);
  }

  /**
   * With the password or the address the account may have changed hands, and whoever shuts a user out breaks off what
   * was under way: what was mailed before says nothing, also after the user is let in again.
   */
  @OnDomainEvent(userEventTypes.disabled)
  @OnDomainEvent(userEventTypes.enabled)
  @OnDomainEvent(userEventTypes.deleted)
  @OnDomainEvent(userEventTypes.restored)
  @OnDomainEvent(userEventTypes.passwordChanged)
  @OnDomainEvent(userEventTypes.emailConfirmed)
  async expireTokens({ userId }: UserEvent): Promise<void> {
    await this.tokens.expireOfUser(userId);
  }

  /** The sign-out of every session is a break too; the end of some of them leaves what the others asked for. */
  @OnDomainEvent(sessionEventTypes.revoked)
  async expireTokensOnSignOut({ userId, which }: SessionsRevoked): Promise<void> {
    if (which.exceptSessionId === null) await this.tokens.expireOfUser(userId);
  }

  @OnDomainEvent(userEventTypes.erased)
  async forgetTokens({ userId }: UserEvent): Promise<void> {
    await this.tokens.deleteOfUser(userId);
  }

  private async tooManyMails(userId: string): Promise<AppError> {
    const seconds = await this.tokens.secondsUntilNext(userId, 'change-email');
    return new AppError('RATE_LIMITED', {
      message: 'Too many changes of address were requested: confirm the last one, or try again later',
      headers: { 'Retry-After': String(seconds) },
    });
  }

  private async assertPassword(user: Asked, password: string, { ip }: Client): Promise<void> {
    const guess = { password, address: user.emailKey };
    const matches = await this.bruteForce.judge(user, ip, () =>
      this.hasher.matches(guess, user.passwordHash),
    );
    if (matches) return;
    const target = { type: 'user', id: user.id };
    await this.audit.record({ action: 'auth.email_change', target, outcome: 'denied' });
    throw AppError.invalid('password', 'password is wrong');
  }
}

const refusedToken = (): AppError =>
  AppError.invalid('token', 'token is not valid, was used, or has expired');
