import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-jwt';
import { canonicalId } from '../../common/ids.js';
import type { Principal } from '../../common/authorization/principal.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { bearerToken } from './bearer-token.js';
import { PrincipalsService } from './principals.service.js';
import { SigningKeysService } from './signing-keys.service.js';
import { SIGNING_ALGORITHM, tokenHeader, tokenKinds } from './token-kinds.js';

export const ACCESS_TOKEN_STRATEGY = 'access-token';

/** Verifies an access token, then asks the account what it may do now. */
@Injectable()
export class AccessTokenStrategy extends PassportStrategy(Strategy, ACCESS_TOKEN_STRATEGY) {
  constructor(
    @InjectConfig() config: Config,
    keys: SigningKeysService,
    private readonly principals: PrincipalsService,
  ) {
    super({
      jwtFromRequest: bearerToken,
      algorithms: [SIGNING_ALGORITHM],
      issuer: config.PUBLIC_URL,
      audience: tokenKinds.access.audience,
      secretOrKeyProvider: (
        _request: unknown,
        token: unknown,
        done: (error: unknown, key?: string) => void,
      ) => {
        const { kid, typ } = tokenHeader(String(token));
        const key = typ === tokenKinds.access.type ? keys.findPublicKey(kid) : null;
        // jsonwebtoken takes a KeyObject, and is six times as fast with one; the types know strings only.
        if (key) done(null, key as unknown as string);
        else done('no such key for an access token');
      },
    });
  }

  /** @returns null when the account is gone or disabled or the session over: its tokens die with it */
  async validate(claims: Record<string, unknown>): Promise<Principal | null> {
    const userId = canonicalId(claims['sub']);
    const sessionId = canonicalId(claims['sid']);
    if (userId === null || sessionId === null || typeof claims['exp'] !== 'number') return null;
    return this.principals.find(userId, sessionId);
  }
}
