import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-jwt';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { bearerToken } from '../../../common/http/bearer-token.js';
import { SigningKeysService } from '../signing-keys/signing-keys.service.js';
import { type AccessClaims, readAccess, type TokenClaims } from '../sessions/token-claims.js';
import { SIGNING_ALGORITHM, tokenHeader, tokenKinds } from '../sessions/token-kinds.js';

export const ACCESS_TOKEN_STRATEGY = 'access-token';

/** Verifies an access token: its signature by one of our keys, type, issuer, audience and expiry. */
@Injectable()
export class AccessTokenStrategy extends PassportStrategy(Strategy, ACCESS_TOKEN_STRATEGY) {
  constructor(@InjectConfig() config: Config, keys: SigningKeysService) {
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
        const key = typ === tokenKinds.access.type ? keys.findPublicKey(kid, 'access') : null;
        // jsonwebtoken accepts a KeyObject and is six times as fast with one, but its types only allow
        // strings.
        if (key) done(null, key as unknown as string);
        else done('no access token key has this id');
      },
    });
  }

  /** @returns null for a token that lacks a claim that every access token has */
  validate(claims: TokenClaims): AccessClaims | null {
    return readAccess(claims);
  }
}
