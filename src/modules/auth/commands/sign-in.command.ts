import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { findCanonicalEmail } from '../../../common/email-address.js';
import type { RequestOrigin } from '../../../common/context/request-context.js';
import { AppError } from '../../../common/errors/app.error.js';
import { unauthorized } from '../../../common/http/bearer-token.js';
import type { SignInRefusal } from '../auth.audit-reasons.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import {
  type PresentedPassword,
  PasswordHasher,
} from '../../../platform/crypto/passwords/password.hasher.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { UsersService } from '../../users/users.service.js';
import type { AttemptInFlight } from '../sign-in/sign-in-attempts.service.js';
import { SignInThrottle } from '../sign-in/sign-in.throttle.js';
import type { LoginDto } from '../dto/login.dto.js';
import type { TokenResponse } from '../dto/token.response.js';
import { SecurityLog } from '../sessions/security.log.js';
import { SessionsService, type StartedSession } from '../sessions/sessions.service.js';
import { SignInMetrics } from '../sign-in/sign-in.metrics.js';
import { type SignInClaim, type ClaimedUser, SignInsRepository } from '../sign-in/sign-ins.repository.js';
import { TokensService } from '../sessions/tokens.service.js';

/**
 * Starts a session. A wrong password, an unknown address and a user who may not sign in cannot be told apart:
 * all get the same response after the same time.
 * @throws AppError `UNAUTHORIZED`, `RATE_LIMITED`
 */
export class SignIn extends Command<TokenResponse> {
  constructor(
    readonly input: LoginDto,
    readonly origin: RequestOrigin,
  ) {
    super();
  }
}

@CommandHandler(SignIn)
export class SignInHandler implements ICommandHandler<SignIn> {
  constructor(
    private readonly users: UsersService,
    private readonly signIns: SignInsRepository,
    private readonly hasher: PasswordHasher,
    private readonly throttle: SignInThrottle,
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
    private readonly log: SecurityLog,
    private readonly metrics: SignInMetrics,
  ) {}

  async execute({ input: { email, password }, origin }: SignIn): Promise<TokenResponse> {
    // Text that is no email address matches no user, but the attempt is counted all the same.
    const canonical = findCanonicalEmail(email);
    const claim = await this.signIns.find(canonical);
    const attempt = await this.begin(canonical ?? email, claim, origin);
    try {
      const guess = { password, address: canonical ?? email };
      return await this.signIn(attempt, claim.user, guess, origin);
    } finally {
      await attempt.end();
    }
  }

  private async begin(
    emailKey: string,
    { user, addresses }: SignInClaim,
    origin: RequestOrigin,
  ): Promise<AttemptInFlight> {
    try {
      return await this.throttle.begin({ emailKey, addresses }, origin.ip);
    } catch (error) {
      if (error instanceof AppError && error.code === 'RATE_LIMITED')
        await this.recordRefusal(user, 'throttled');
      throw error;
    }
  }

  private async signIn(
    attempt: AttemptInFlight,
    user: ClaimedUser | null,
    guess: PresentedPassword,
    origin: RequestOrigin,
  ): Promise<TokenResponse> {
    const matches = await attempt.judge(this.hasher.matches(guess, user?.passwordHash ?? null));
    if (!user || !matches || user.status !== 'active' || user.isPasswordExpired) {
      // Counts like a wrong password, so that a user who may not sign in cannot be told apart.
      await attempt.fail();
      await this.recordRefusal(user, reasonOf(user, matches));
      throw unauthorized(false, 'The email address or the password is wrong');
    }
    await this.renewHash(user, guess.password);
    const started = await this.start(attempt, user, origin);
    if (started) {
      this.metrics.succeeded();
      return this.tokens.issuePair(user, started);
    }
    // The user changed while the old password was compared, so that result no longer counts.
    const { user: current } = await this.signIns.find(findCanonicalEmail(user.email));
    return this.signIn(attempt, current, guess, origin);
  }

  /** @returns null when the user may no longer sign in, or no longer with that password */
  private start(
    attempt: AttemptInFlight,
    user: ClaimedUser,
    origin: RequestOrigin,
  ): Promise<StartedSession | null> {
    return this.unitOfWork.run(async () => {
      if (user.hasOneTimePassword && !(await this.users.spendOneTimePassword(user.id, user.passwordHash)))
        return null;
      const session = await this.sessions.start(user, origin);
      if (!session) return null;
      this.users.recordSignIn(user.id, session.at);
      await this.audit.record({
        action: 'auth.login',
        target: { type: 'user', id: user.id },
        actor: { type: 'user', id: user.id, sessionId: session.sessionId },
      });
      // This comes last because it locks the counters that every sign-in updates.
      await attempt.succeed();
      return session;
    });
  }

  /** Records the refusal. Does so for an unknown address too, so that both take the same time. */
  private async recordRefusal(user: ClaimedUser | null, reason: SignInRefusal): Promise<void> {
    this.metrics.refused(reason);
    this.log.logRefusal('sign_in.refused', { user_id: user?.id ?? null, reason });
    const target = user && { type: 'user', id: user.id };
    // A throttled attempt was not judged, so nothing was denied.
    const outcome = reason === 'throttled' ? 'failure' : 'denied';
    await this.audit.record({ action: 'auth.login', target, outcome, reason });
  }

  /**
   * Renews the hash. If the hasher is overloaded, leaves it to the next sign-in, because this one has
   * succeeded.
   */
  private async renewHash(user: ClaimedUser, password: string): Promise<void> {
    // A new hash would make a one-time password permanent.
    if (user.passwordHash === null || user.hasOneTimePassword) return;
    if (!this.hasher.shouldRenew(user.passwordHash, password)) return;
    try {
      const renewed = await this.hasher.hash(password);
      await this.users.renewPasswordHash(user.id, user.passwordHash, renewed);
      user.passwordHash = renewed;
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'OVERLOADED')) throw error;
    }
  }
}

function reasonOf(user: ClaimedUser | null, matches: boolean): SignInRefusal {
  if (!user) return 'unknown_user';
  return matches && !user.isPasswordExpired ? 'disabled' : 'wrong_password';
}
