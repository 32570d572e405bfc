import { Injectable } from '@nestjs/common';
import type { Permission } from '../../../common/authorization/permissions.js';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';

/** The current rights of a user. */
export interface Rights {
  readonly roles: string[];
  readonly permissions: Permission[];
}

/** The current state of a user and a session. */
export interface PrincipalAccess extends Rights {
  /** The remaining lifetime of the session in milliseconds, by the database clock. */
  readonly msLeft: number;
  /** True if `last_seen_at` does not show the current minute yet. */
  readonly unseen: boolean;
}

/** A session that is alive, and the current rights of its user. */
export interface LiveSession extends Rights {
  readonly sessionId: string;
  readonly userId: string;
  /** The remaining lifetime of the session in milliseconds, by the database clock. */
  readonly msLeft: number;
}

const FIND = prepared(
  `SELECT u.roles,
          extract(epoch FROM s.expires_at - clock_timestamp())::float * 1000 AS "msLeft",
          s.last_seen_at < date_trunc('minute', clock_timestamp()) AS unseen,
          ARRAY(SELECT DISTINCT permission FROM role_permissions WHERE role = ANY (u.roles)) AS permissions
   FROM sessions s JOIN users u ON u.id = s.user_id
   WHERE s.id = $1 AND s.user_id = $2 AND s.expires_at > clock_timestamp() AND u.status = 'active'`,
);

const FIND_MANY = prepared(
  `SELECT s.id AS "sessionId", s.user_id AS "userId", u.roles,
          extract(epoch FROM s.expires_at - clock_timestamp())::float * 1000 AS "msLeft",
          ARRAY(SELECT DISTINCT permission FROM role_permissions WHERE role = ANY (u.roles)) AS permissions
   FROM sessions s JOIN users u ON u.id = s.user_id
   WHERE s.id = ANY ($1) AND s.expires_at > clock_timestamp() AND u.status = 'active'`,
);

const FIND_RIGHTS = prepared(
  `SELECT roles, ARRAY(SELECT DISTINCT permission FROM role_permissions WHERE role = ANY (users.roles)) AS permissions
   FROM users WHERE id = $1 AND status = 'active'`,
);

@Injectable()
export class PrincipalsRepository {
  constructor(private readonly sql: SqlRunner) {}

  /** Returns null unless the user is active and the session alive. Runs one indexed query. */
  find(userId: string, sessionId: string): Promise<PrincipalAccess | null> {
    return this.sql.maybeOne<PrincipalAccess>(FIND, [sessionId, userId]);
  }

  /** Returns the current state of those sessions that are alive and whose user is active. */
  findMany(sessionIds: readonly string[]): Promise<LiveSession[]> {
    return this.sql.rows<LiveSession>(FIND_MANY, [sessionIds]);
  }

  /** Returns the rights of an active user, with or without a session, or null. */
  async findRights(userId: string): Promise<Rights | null> {
    return this.sql.maybeOne<Rights>(FIND_RIGHTS, [userId]);
  }
}
