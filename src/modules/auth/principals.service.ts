import { Injectable } from '@nestjs/common';
import type { Principal } from '../../common/authorization/principal.js';
import { PrincipalsRepository } from './principals.repository.js';
import { SessionsRepository } from './sessions.repository.js';

/** What callers may do now: their account and session as they stand, whatever their token says. */
@Injectable()
export class PrincipalsService {
  constructor(
    private readonly repository: PrincipalsRepository,
    private readonly sessions: SessionsRepository,
  ) {}

  /** Null unless the account is active and the session alive. */
  async find(userId: string, sessionId: string): Promise<Principal | null> {
    const access = await this.repository.find(userId, sessionId);
    if (!access) return null;
    if (access.unseen) await this.sessions.touch(sessionId);
    const { roles, permissions } = access;
    return { userId, sessionId, roles, permissions: new Set(permissions) };
  }
}
