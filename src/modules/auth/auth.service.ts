import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { AppError } from '../../common/errors/app-error.js';
import { unauthorized } from '../../common/http/bearer.js';
import { findCanonicalEmail } from '../../common/email-address.js';
import type { Principal } from '../../common/authorization/principal.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { PasswordHasher } from '../../platform/crypto/password-hasher.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { ReplacePassword } from '../users/commands/replace-password.command.js';
import { UsersService } from '../users/users.service.js';
import { type Attempt, BruteForce } from './brute-force.js';
import type { Client } from './client.js';
import type { ChangePasswordDto } from './dto/change-password.dto.js';
import type { TokenResponse } from './dto/token.response.js';
import type { RefreshClaims } from './refresh-tokens.repository.js';
import { SecurityLog } from './security-log.js';
import { SessionsService } from './sessions.service.js';
import { type Subject, TokensService } from './tokens.service.js';

/** The account that a sign-in claims to be of. */
interface Claimed extends Subject {
  readonly status: string;
  passwordHash: string | null;
}

/** Signing in, staying signed in, and the password. */
@Injectable()
export class AuthService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly users: UsersService,
    private readonly commands: CommandBus,
    private readonly hasher: PasswordHasher,
    private readonly bruteForce: BruteForce,
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
    private readonly unitOfWork: UnitOfWork,
    private readonly log: SecurityLog,
  ) {}

  /**
   * One answer, and one duration, for a wrong password, an unknown address and an account that may
   * not sign in: they cannot be told apart.
   * @throws AppError `UNAUTHORIZED`
   */
  async login(email: string, password: string, client: Client): Promise<TokenResponse> {
    const user = await this.users.findForSignIn(email);
    const emailKey = findCanonicalEmail(email) ?? email;
    const attempt = await this.bruteForce.begin({ emailKey, userId: user?.id ?? null }, client.ip);
    return this.signIn(attempt, user, password, client);
  }

  /** @throws AppError `UNAUTHORIZED` */
  async refresh(token: string): Promise<TokenResponse> {
    const presented = await this.tokens.verifyRefresh(token);
    const rotation = presented && (await this.sessions.rotate(presented.jti, presented.sessionId));
    if (rotation?.outcome !== 'rotated') throw refusedToken();
    const user = await this.users.findActive(rotation.userId);
    if (!user) throw refusedToken();
    return this.pair(user, rotation.sessionId, rotation.next);
  }

  async logout({ sessionId, userId }: Principal): Promise<void> {
    // Of two at once the second finds the session dead already, which is what it asked for.
    await this.sessions.endIfAlive(sessionId, userId);
  }

  /**
   * Ends every session of the account, and starts the caller a new one.
   * @throws AppError `VALIDATION_ERROR` when the current password is wrong, or the new one refused
   */
  async changePassword(caller: Principal, input: ChangePasswordDto, client: Client): Promise<TokenResponse> {
    const user = await this.users.getWithPassword(caller.userId);
    const attempt = await this.bruteForce.begin({ emailKey: user.emailKey, userId: user.id }, client.ip);
    if (!(await attempt.judge(this.hasher.matches(input.current_password, user.passwordHash)))) {
      throw AppError.invalid('current_password', 'current_password is wrong');
    }
    await attempt.takeBack();
    const hash = await this.users.hashPassword(input.new_password, user, 'new_password');
    const started = await this.unitOfWork.run(async () => {
      await this.commands.execute(new ReplacePassword(user, hash, 'auth.password_change'));
      // Disabled meanwhile: a session started now would be alive as soon as the account is enabled again.
      if (!(await this.users.findActive(user.id))) throw unauthorized(true);
      return this.sessions.start(user.id, client);
    });
    return this.pair(user, started.sessionId, started.refresh);
  }

  private async signIn(
    attempt: Attempt,
    user: Claimed | null,
    password: string,
    client: Client,
  ): Promise<TokenResponse> {
    const matches = await attempt.judge(this.hasher.matches(password, user?.passwordHash ?? null));
    if (!user || !matches || user.status !== 'active') {
      this.log.refused('sign_in.refused', { user_id: user?.id ?? null });
      throw unauthorized(false, 'The e-mail address or the password is wrong');
    }
    await this.renewHash(user, password);
    const started = await this.unitOfWork.run(async () => {
      if (!(await this.users.recordSignIn(user))) return null;
      const session = await this.sessions.start(user.id, client);
      // Last, as it holds what every sign-in counts with.
      await attempt.takeBack();
      return session;
    });
    if (started) return this.pair(user, started.sessionId, started.refresh);
    // The account changed while its old password was compared: what that said no longer counts.
    return this.signIn(attempt, await this.users.findForSignIn(user.email), password, client);
  }

  /** When the hasher is too busy the next sign-in does it: this one has succeeded. */
  private async renewHash(user: Claimed, password: string): Promise<void> {
    if (user.passwordHash === null || !this.hasher.isOutdated(user.passwordHash)) return;
    try {
      const renewed = await this.hasher.hash(password);
      await this.users.renewPasswordHash(user.id, user.passwordHash, renewed);
      user.passwordHash = renewed;
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'OVERLOADED')) throw error;
    }
  }

  private async pair(user: Subject, sessionId: string, refresh: RefreshClaims): Promise<TokenResponse> {
    return {
      access_token: await this.tokens.issueAccess(user, sessionId),
      refresh_token: await this.tokens.issueRefresh(user.id, sessionId, refresh),
      token_type: 'Bearer',
      expires_in: this.config.ACCESS_TOKEN_TTL_SECONDS,
    };
  }
}

/** A refresh token is not a bearer token, but its refusal says the same. */
const refusedToken = (): AppError => unauthorized(true, 'The refresh token is not valid');
