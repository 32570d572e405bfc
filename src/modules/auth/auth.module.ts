import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { UsersModule } from '../users/users.module.js';
import { AccessTokenStrategy } from './access-token.strategy.js';
import { Attempts } from './attempts.js';
import { BruteForce } from './brute-force.js';
import { SignInFailuresRepository } from './sign-in-failures.repository.js';
import { signInMetrics } from './sign-in-metrics.js';
import { SignInsRepository } from './sign-ins.repository.js';
import { AccountMails } from './account-mails.js';
import { CleanUp } from './clean-up.js';
import { ChangePasswordHandler } from './commands/change-password.command.js';
import { EndSessionHandler } from './commands/end-session.command.js';
import { EndSessionsHandler } from './commands/end-sessions.command.js';
import { RefreshSessionHandler } from './commands/refresh-session.command.js';
import { SignInHandler } from './commands/sign-in.command.js';
import { SignOutUserHandler } from './commands/sign-out-user.command.js';
import { OneTimeTokensRepository } from './one-time-tokens.repository.js';
import { RecoveryController } from './recovery.controller.js';
import { RecoveryService } from './recovery.service.js';
import { AuthListener } from './auth.listener.js';
import { AuthController } from './auth.controller.js';
import { EmailController } from './email.controller.js';
import { JwksController } from './jwks.controller.js';
import { SigningKeysModule } from './signing-keys.module.js';
import { PasswordFormats } from './password-formats.js';
import { PasswordFormatsRepository } from './password-formats.repository.js';
import { PrincipalsRepository } from './principals.repository.js';
import { PrincipalCache } from './principal-cache.js';
import { PrincipalsService } from './principals.service.js';
import { RefreshToken } from './refresh-token.entity.js';
import { RefreshTokensRepository } from './refresh-tokens.repository.js';
import { SecurityLog } from './security-log.js';
import { Session } from './session.entity.js';
import { SessionHistory } from './session-history.js';
import { SessionsController } from './sessions.controller.js';
import { SessionsRepository } from './sessions.repository.js';
import { SessionsService } from './sessions.service.js';
import { TokensService } from './tokens.service.js';
import { VerifiedTokens } from './verified-tokens.js';
import { UserSessionsController } from './user-sessions.controller.js';
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
    SessionsController,
    UserSessionsController,
    JwksController,
  ],
  providers: [
    AuthListener,
    RecoveryService,
    AccountMails,
    CleanUp,
    OneTimeTokensRepository,
    Attempts,
    BruteForce,
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
    TokensService,
    AccessTokenStrategy,
    VerifiedTokens,
    SessionHistory,
    PasswordFormats,
    PasswordFormatsRepository,
    ...commands,
  ],
  exports: [PrincipalsService, VerifiedTokens, SessionsService, RecoveryService],
})
export class AuthModule {}
