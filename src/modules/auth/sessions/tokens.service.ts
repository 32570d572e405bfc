import type { KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { canonicalId, newId } from '../../../common/ids.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import type { TokenResponse } from '../dto/token.response.js';
import type { RefreshClaims } from './refresh-tokens.repository.js';
import type { KeyUse } from '../signing-keys/signing-keys.repository.js';
import { SigningKeysService } from '../signing-keys/signing-keys.service.js';
import type { VerifiedToken } from '../principals/verified-token.cache.js';
import { readAccess, readSession, type TokenClaims } from './token-claims.js';
import { CLIENT_ID, MAX_JWT_LENGTH, SIGNING_ALGORITHM, tokenHeader, tokenKinds } from './token-kinds.js';

/** The user that a token is issued for. */
export interface Subject {
  readonly id: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly roles: readonly string[];
}

/** A verified access token: the claims that the service reads, and all of its claims. */
export interface PresentedAccess extends VerifiedToken {
  readonly exp: number;
  readonly claims: TokenClaims;
}

/** A session with its one live refresh token. */
export interface LiveSession {
  readonly sessionId: string;
  readonly refresh: RefreshClaims;
}

/** The claims of a verified refresh token. */
export interface PresentedRefresh extends VerifiedToken {
  readonly jti: string;
}

/**
 * Issues and verifies session tokens. Every service accepts the access tokens; only this one accepts refresh
 * tokens. Uses the synchronous methods of the library: its asynchronous ones sign on the same thread, but through
 * streams, which takes half as long again.
 */
@Injectable()
export class TokensService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly jwt: JwtService,
    private readonly keys: SigningKeysService,
  ) {}

  /** Issues both tokens of a session in the form of the API response. */
  issuePair(user: Subject, { sessionId, refresh }: LiveSession): TokenResponse {
    return {
      access_token: this.issueAccess(user, sessionId),
      refresh_token: this.issueRefresh(user.id, sessionId, refresh),
      token_type: 'Bearer',
      expires_in: this.config.ACCESS_TOKEN_TTL_SECONDS,
    };
  }

  /**
   * Issues an access token. The claims about the user serve other services. This service reads rights from the
   * user's row, not from the claims.
   */
  issueAccess(subject: Subject, sessionId: string): string {
    const { kid, privateKey } = this.keys.signingKey('access');
    return this.jwt.sign(
      {
        email: subject.email,
        email_verified: subject.emailVerified,
        roles: subject.roles,
        sid: sessionId,
        client_id: CLIENT_ID,
      },
      {
        algorithm: SIGNING_ALGORITHM,
        privateKey,
        header: { alg: SIGNING_ALGORITHM, kid, typ: tokenKinds.access.type },
        subject: subject.id,
        issuer: this.config.PUBLIC_URL,
        audience: tokenKinds.access.audience,
        jwtid: newId(),
        expiresIn: this.config.ACCESS_TOKEN_TTL_SECONDS,
      },
    );
  }

  private issueRefresh(userId: string, sessionId: string, { jti, iat, exp }: RefreshClaims): string {
    const { kid, privateKey } = this.keys.signingKey('refresh');
    return this.jwt.sign(
      { sid: sessionId, iat, exp },
      {
        algorithm: SIGNING_ALGORITHM,
        privateKey,
        header: { alg: SIGNING_ALGORITHM, kid, typ: tokenKinds.refresh.type },
        subject: userId,
        issuer: this.config.PUBLIC_URL,
        audience: tokenKinds.refresh.audience,
        jwtid: jti,
      },
    );
  }

  /** Returns null unless the token is one of our refresh tokens and has not expired. */
  verifyRefresh(token: string): PresentedRefresh | null {
    const claims = this.verify(token, 'refresh');
    const jti = canonicalId(claims?.['jti']);
    const session = claims && readSession(claims);
    return jti !== null && session ? { jti, ...session } : null;
  }

  /** Returns null unless the token is one of our access tokens and has not expired. Its session may have ended. */
  verifyAccess(token: string): PresentedAccess | null {
    const claims = this.verify(token, 'access');
    const access = claims && readAccess(claims);
    return access && { ...access, claims };
  }

  /** Returns the session of one of our access tokens, which may have expired. Its signing key must still be known. */
  findSessionOfAccess(token: string): VerifiedToken | null {
    const claims = this.verify(token, 'access', { ignoreExpiration: true });
    return claims && readSession(claims);
  }

  private verify(
    token: string,
    kind: KeyUse,
    options: { readonly ignoreExpiration?: boolean } = {},
  ): TokenClaims | null {
    if (token.length > MAX_JWT_LENGTH) return null;
    const { kid, typ } = tokenHeader(token);
    const publicKey = typ === tokenKinds[kind].type ? this.findKey(kid, kind) : null;
    if (!publicKey) return null;
    try {
      return this.jwt.verify<Record<string, unknown>>(token, {
        // jsonwebtoken accepts a KeyObject and is fastest with one, but its types only allow strings.
        publicKey: publicKey as unknown as string,
        algorithms: [SIGNING_ALGORITHM],
        issuer: this.config.PUBLIC_URL,
        audience: tokenKinds[kind].audience,
        ...options,
      });
    } catch {
      return null;
    }
  }

  /**
   * Accepts access keys for refresh tokens too, because earlier releases signed them with these keys. Such a
   * token is valid until it is spent.
   */
  private findKey(kid: unknown, kind: KeyUse): KeyObject | null {
    return this.keys.findPublicKey(kid, kind) ?? this.keys.findPublicKey(kid, 'access');
  }
}
