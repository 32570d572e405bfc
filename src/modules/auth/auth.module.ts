import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { UsersModule } from '../users/users.module.js';
import { AccessTokenStrategy } from './principals/access-token.strategy.js';
import { SignInAttemptsService } from './sign-in/sign-in-attempts.service.js';
import { SignInThrottle } from './sign-in/sign-in.throttle.js';
import { SignInFailuresRepository } from './sign-in/sign-in-failures.repository.js';
import { signInMetrics } from './sign-in/sign-in.metrics.js';
import { SignInsRepository } from './sign-in/sign-ins.repository.js';
import { UserMailsService } from './recovery/user-mails.service.js';
import { SessionsCleanup } from './sessions/sessions.cleanup.js';
import { ChangePasswordHandler } from './commands/change-password.command.js';
import { EndSessionHandler } from './commands/end-session.command.js';
import { EndSessionsHandler } from './commands/end-sessions.command.js';
import { RefreshSessionHandler } from './commands/refresh-session.command.js';
import { SendPasswordMailHandler } from './commands/send-password-mail.command.js';
import { SignInHandler } from './commands/sign-in.command.js';
import { SignOutUserHandler } from './commands/sign-out-user.command.js';
import { OneTimeTokensRepository } from './recovery/one-time-tokens.repository.js';
import { RecoveryController } from './recovery/recovery.controller.js';
import { AdminRecoveryService } from './recovery/admin-recovery.service.js';
import { UserRecoveryController } from './recovery/user-recovery.controller.js';
import { RecoveryService } from './recovery/recovery.service.js';
import { AuthListener } from './auth.listener.js';
import { AuthController } from './auth.controller.js';
import { EmailController } from './recovery/email.controller.js';
import { JwksController } from './signing-keys/jwks.controller.js';
import { DiscoveryController } from './discovery/discovery.controller.js';
import { IntrospectionController } from './introspection/introspection.controller.js';
import { IntrospectionService } from './introspection/introspection.service.js';
import { SigningKeysModule } from './signing-keys/signing-keys.module.js';
import { PasswordFormatSampler } from './sign-in/password-format.sampler.js';
import { PasswordFormatsRepository } from './sign-in/password-formats.repository.js';
import { principalMetrics } from './principals/principal.metrics.js';
import { PrincipalsRepository } from './principals/principals.repository.js';
import { PrincipalCache } from './principals/principal.cache.js';
import { SessionWatchService } from './principals/session-watch.service.js';
import { PrincipalsService } from './principals/principals.service.js';
import { RefreshToken } from './sessions/refresh-token.entity.js';
import { RefreshTokensRepository } from './sessions/refresh-tokens.repository.js';
import { SecurityLog } from './sessions/security.log.js';
import { Session } from './sessions/session.entity.js';
import { SessionHistory } from './sessions/session.history.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { SessionsRepository } from './sessions/sessions.repository.js';
import { SessionsService } from './sessions/sessions.service.js';
import { TokensService } from './sessions/tokens.service.js';
import { TokenAuthenticator } from './principals/token.authenticator.js';
import { VerifiedTokenCache } from './principals/verified-token.cache.js';
import { UserSessionsController } from './sessions/user-sessions.controller.js';
import { OneTimeToken } from './recovery/one-time-token.entity.js';
import { SignInAttempt } from './sign-in/sign-in-attempt.entity.js';
import { SignInFailure } from './sign-in/sign-in-failure.entity.js';

const commands = [
  SignInHandler,
  RefreshSessionHandler,
  EndSessionHandler,
  EndSessionsHandler,
  SignOutUserHandler,
  ChangePasswordHandler,
  SendPasswordMailHandler,
];

@Module({
  imports: [
    TypeOrmModule.forFeature([Session, RefreshToken, OneTimeToken, SignInFailure, SignInAttempt]),
    JwtModule.register({}),
    PassportModule,
    UsersModule,
    SigningKeysModule,
  ],
  controllers: [
    AuthController,
    RecoveryController,
    EmailController,
    UserRecoveryController,
    SessionsController,
    UserSessionsController,
    JwksController,
    DiscoveryController,
    IntrospectionController,
  ],
  providers: [
    AuthListener,
    RecoveryService,
    AdminRecoveryService,
    UserMailsService,
    SessionsCleanup,
    OneTimeTokensRepository,
    SignInAttemptsService,
    SignInThrottle,
    ...signInMetrics,
    SecurityLog,
    SignInFailuresRepository,
    SignInsRepository,
    SessionsService,
    SessionsRepository,
    RefreshTokensRepository,
    PrincipalsService,
    PrincipalCache,
    PrincipalsRepository,
    ...principalMetrics,
    SessionWatchService,
    TokensService,
    IntrospectionService,
    AccessTokenStrategy,
    TokenAuthenticator,
    VerifiedTokenCache,
    SessionHistory,
    PasswordFormatSampler,
    PasswordFormatsRepository,
    ...commands,
  ],
  exports: [
    PrincipalsService,
    SessionWatchService,
    TokenAuthenticator,
    VerifiedTokenCache,
    SessionsService,
    RecoveryService,
  ],
})
export class AuthModule {}
