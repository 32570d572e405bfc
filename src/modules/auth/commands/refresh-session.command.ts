import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { AppError } from '../../../common/errors/app.error.js';
import { unauthorized } from '../../../common/http/bearer-token.js';
import { UsersService } from '../../users/users.service.js';
import type { TokenResponse } from '../dto/token.response.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { TokensService } from '../sessions/tokens.service.js';

/** Exchanges a refresh token for a new pair. @throws AppError `UNAUTHORIZED` */
export class RefreshSession extends Command<TokenResponse> {
  constructor(readonly refreshToken: string) {
    super();
  }
}

@CommandHandler(RefreshSession)
export class RefreshSessionHandler implements ICommandHandler<RefreshSession> {
  constructor(
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
  ) {}

  async execute({ refreshToken }: RefreshSession): Promise<TokenResponse> {
    const presented = this.tokens.verifyRefresh(refreshToken);
    const rotation = presented && (await this.sessions.rotate(presented));
    if (rotation?.outcome !== 'rotated') throw refused();
    const user = rotation.user ?? (await this.users.findActive(rotation.userId));
    if (!user) throw refused();
    return this.tokens.issuePair(user, { sessionId: rotation.sessionId, refresh: rotation.next });
  }
}

/** Returns the refusal of an invalid bearer token, although a refresh token is not a bearer token. */
const refused = (): AppError => unauthorized('invalid', 'The refresh token is not valid');
