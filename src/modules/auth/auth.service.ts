import { Injectable } from '@nestjs/common';
import { unauthorized } from '../../common/http/bearer.js';
import { newId } from '../../common/ids.js';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { PasswordHasher } from '../../platform/crypto/password-hasher.js';
import { UsersService } from '../users/users.service.js';
import { AccessTokensService } from './access-tokens.service.js';
import type { TokenResponse } from './dto/token.response.js';

/** Signing in. */
@Injectable()
export class AuthService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly users: UsersService,
    private readonly hasher: PasswordHasher,
    private readonly tokens: AccessTokensService,
  ) {}

  /**
   * One answer, and one duration, for a wrong password, an unknown address and an account that may
   * not sign in: they cannot be told apart.
   * @throws AppError `UNAUTHORIZED`
   */
  async login(email: string, password: string): Promise<TokenResponse> {
    const user = await this.users.findForSignIn(email);
    const matches = await this.hasher.matches(password, user?.passwordHash ?? null);
    if (!user || !matches || user.status !== 'active') {
      throw unauthorized(false, 'The e-mail address or the password is wrong');
    }
    await this.users.recordSignIn(user.id);
    return {
      access_token: await this.tokens.issue(user, newId()),
      token_type: 'Bearer',
      expires_in: this.config.ACCESS_TOKEN_TTL_SECONDS,
    };
  }
}
