import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { newId } from '../../common/ids.js';
import { SigningKeysService } from './signing-keys.service.js';

/** RFC 9068: a token of another kind must not pass for this one. */
export const ACCESS_TOKEN_TYPE = 'at+jwt';
export const ACCESS_TOKEN_AUDIENCE = 'gatehouse:api';
export const SIGNING_ALGORITHM = 'ES256';

interface Subject {
  readonly id: string;
  readonly email: string;
  readonly roles: readonly string[];
}

/** Issues access tokens: JWTs that other services can verify with the published keys. */
@Injectable()
export class AccessTokensService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly jwt: JwtService,
    private readonly keys: SigningKeysService,
  ) {}

  /** `roles` and `email` are for other services; here rights come from the account, not the claim. */
  issue(subject: Subject, sessionId: string): Promise<string> {
    const { kid, privateKey } = this.keys.signing;
    return this.jwt.signAsync(
      { email: subject.email, roles: subject.roles, sid: sessionId },
      {
        algorithm: SIGNING_ALGORITHM,
        privateKey,
        header: { alg: SIGNING_ALGORITHM, kid, typ: ACCESS_TOKEN_TYPE },
        subject: subject.id,
        issuer: this.config.PUBLIC_URL,
        audience: ACCESS_TOKEN_AUDIENCE,
        jwtid: newId(),
        expiresIn: this.config.ACCESS_TOKEN_TTL_SECONDS,
      },
    );
  }
}
