import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { EndSession } from '../commands/end-session.command.js';
import { PrincipalsService } from '../principals/principals.service.js';
import { CLIENT_ID } from '../sessions/token-kinds.js';
import { TokensService } from '../sessions/tokens.service.js';
import type { IntrospectionResponse } from './dto/introspection.response.js';

const INACTIVE: IntrospectionResponse = { active: false };

/** Tells other services whether a token is valid now, and revokes tokens for their holders. */
@Injectable()
export class IntrospectionService {
  constructor(
    private readonly tokens: TokensService,
    private readonly principals: PrincipalsService,
    private readonly commands: CommandBus,
  ) {}

  /**
   * Judges an access token as the API would judge a request with it. The rights come from the principal cache, so a
   * revocation takes effect as fast as on the routes of the API. Any other token is inactive, because other services
   * must not accept refresh tokens.
   */
  async introspect(token: string): Promise<IntrospectionResponse> {
    const presented = this.tokens.verifyAccess(token);
    const principal = presented && (await this.principals.find(presented.userId, presented.sessionId));
    if (!presented || !principal) return INACTIVE;
    const { iat, jti, iss, aud, client_id: clientId } = presented.claims;
    return {
      active: true,
      token_type: 'Bearer',
      sub: principal.userId,
      sid: principal.sessionId,
      jti: String(jti),
      roles: [...principal.roles],
      permissions: [...principal.permissions].toSorted(),
      exp: presented.exp,
      iat: Number(iat),
      iss: String(iss),
      aud: String(aud),
      // Tokens of earlier releases have none.
      client_id: typeof clientId === 'string' ? clientId : CLIENT_ID,
    };
  }

  /**
   * Ends the session of an access or refresh token. Does nothing for any other text. Accepts an access token that has
   * expired, because its session goes on for weeks and its holder means the session. Accepts a spent refresh token too,
   * because its reuse would end the session anyway.
   */
  async revoke(token: string): Promise<void> {
    const presented = this.tokens.verifyRefresh(token) ?? this.tokens.findSessionOfAccess(token);
    if (!presented) return;
    const { userId, sessionId } = presented;
    const actor = { type: 'user', id: userId, sessionId } as const;
    await this.commands.execute(new EndSession(sessionId, userId, 'auth.logout', actor));
  }
}
