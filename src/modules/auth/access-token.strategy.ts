import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-jwt';
import { canonicalId } from '../../common/ids.js';
import type { Principal } from '../../common/authorization/principal.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { UsersService } from '../users/users.service.js';
import { ACCESS_TOKEN_AUDIENCE, ACCESS_TOKEN_TYPE, SIGNING_ALGORITHM } from './access-tokens.service.js';
import { bearerToken } from '../../common/http/bearer.js';
import { SigningKeysService } from './signing-keys.service.js';

export const ACCESS_TOKEN_STRATEGY = 'access-token';

/** Verifies an access token, then asks the account what it may do now. */
@Injectable()
export class AccessTokenStrategy extends PassportStrategy(Strategy, ACCESS_TOKEN_STRATEGY) {
  constructor(
    @InjectConfig() config: Config,
    keys: SigningKeysService,
    private readonly users: UsersService,
  ) {
    super({
      jwtFromRequest: bearerToken,
      algorithms: [SIGNING_ALGORITHM],
      issuer: config.PUBLIC_URL,
      audience: ACCESS_TOKEN_AUDIENCE,
      secretOrKeyProvider: (
        _request: unknown,
        token: unknown,
        done: (error: unknown, key?: string) => void,
      ) => {
        const { kid, typ } = headerOf(token);
        const key = typ === ACCESS_TOKEN_TYPE ? keys.findPublicKey(kid) : null;
        // jsonwebtoken takes a KeyObject, and is six times as fast with one; the types know strings only.
        if (key) done(null, key as unknown as string);
        else done('no such key for an access token');
      },
    });
  }

  /** @returns null for an account that is gone or disabled: its tokens die with it */
  async validate(claims: Record<string, unknown>): Promise<Principal | null> {
    const userId = canonicalId(claims['sub']);
    const sessionId = canonicalId(claims['sid']);
    if (userId === null || sessionId === null || typeof claims['exp'] !== 'number') return null;
    const access = await this.users.findAccess(userId);
    if (access?.status !== 'active') return null;
    return { userId, sessionId, roles: access.roles, permissions: new Set(access.permissions) };
  }
}

/** Read before the signature is checked, so only to choose the key to check it with. */
function headerOf(token: unknown): Record<string, unknown> {
  try {
    const [header] = String(token).split('.');
    const value: unknown = JSON.parse(Buffer.from(header ?? '', 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
