import { Injectable } from '@nestjs/common';
import { insertAuditEntryFrom } from '../../../platform/audit-log/audit-entry.statements.js';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';

/** The claims of a refresh token. Times are in seconds since 1970. */
export interface RefreshClaims {
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
}

export interface Presented {
  readonly successor: string | null;
  /** The seconds since the token was spent, by the database clock. Null for an unspent token. */
  readonly secondsSinceSpent: number | null;
}

/** The columns of `refresh_tokens` that make up RefreshClaims. */
export const CLAIM_COLUMNS = `jti, extract(epoch FROM issued_at)::integer AS iat, extract(epoch FROM expires_at)::integer AS exp`;

/** A live token to replace, as its verified claims describe it. */
export interface LiveToken {
  readonly jti: string;
  readonly sessionId: string;
  readonly userId: string;
}

/** The successor of a live token, and its user. */
export interface Rotated extends RefreshClaims {
  readonly email: string;
  readonly emailVerified: boolean;
  readonly roles: string[];
}

/** Locks a session. Every change of its tokens holds this lock. */
const LOCK_SESSION = prepared('SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE');

const ROTATE = prepared(
  `WITH presented AS (
     SELECT token.jti, token.session_id, users.email, users.email_verified, users.roles
     FROM sessions JOIN refresh_tokens AS token ON token.session_id = sessions.id JOIN users ON users.id = user_id
     WHERE token.jti = $1 AND sessions.id = $2 AND user_id = $3
       AND sessions.expires_at > clock_timestamp() AND spent_at IS NULL AND status = 'active'),
   extended AS (
     UPDATE sessions
     SET expires_at = least(ends_at, clock_timestamp() + make_interval(secs => $5::integer)),
         last_seen_at = date_trunc('minute', clock_timestamp())
     FROM presented WHERE sessions.id = presented.session_id
     RETURNING sessions.id, sessions.expires_at),
   next AS (
     INSERT INTO refresh_tokens (jti, session_id, issued_at, expires_at)
     SELECT $4, id, date_trunc('second', clock_timestamp()), date_trunc('second', expires_at) FROM extended
     RETURNING ${CLAIM_COLUMNS}),
   spent AS (
     UPDATE refresh_tokens SET spent_at = clock_timestamp(), successor = $4
     FROM presented WHERE refresh_tokens.jti = presented.jti),
   forgotten AS (
     DELETE FROM refresh_tokens USING presented
     WHERE refresh_tokens.session_id = presented.session_id
       AND spent_at < clock_timestamp() - make_interval(secs => $6::float8)),
   audited AS (${insertAuditEntryFrom('next', 7)})
   SELECT next.jti, iat, exp, email, email_verified AS "emailVerified", roles FROM next, presented`,
);

@Injectable()
export class RefreshTokensRepository {
  constructor(private readonly sql: SqlRunner) {}

  /** Inserts a token that expires with its session. The session's row must exist. */
  insert(jti: string, sessionId: string): Promise<RefreshClaims> {
    return this.sql.one<RefreshClaims>(
      `INSERT INTO refresh_tokens (jti, session_id, issued_at, expires_at)
       SELECT $1, id, date_trunc('second', clock_timestamp()), date_trunc('second', expires_at)
       FROM sessions WHERE id = $2
       RETURNING ${CLAIM_COLUMNS}`,
      [jti, sessionId],
    );
  }

  /**
   * Replaces a live token by `successor`, extends its session, and writes the audit entry. Needs a transaction.
   * Locks the session first, so that concurrent callers run one after another.
   * @returns null, without any change, unless the token and its session are live and the user is active
   */
  async rotate(
    { jti, sessionId, userId }: LiveToken,
    successor: string,
    { idleSeconds, keepSpentSeconds }: { idleSeconds: number; keepSpentSeconds: number },
    auditValues: readonly unknown[],
  ): Promise<Rotated | null> {
    await this.sql.defer(LOCK_SESSION, [sessionId]);
    return this.sql.maybeOne<Rotated>(ROTATE, [
      jti,
      sessionId,
      userId,
      successor,
      idleSeconds,
      keepSpentSeconds,
      ...auditValues,
    ]);
  }

  /** Locks the row until the transaction ends. */
  findForUpdate(jti: string, sessionId: string): Promise<Presented | null> {
    return this.sql.maybeOne<Presented>(
      `SELECT successor, extract(epoch FROM clock_timestamp() - spent_at)::float AS "secondsSinceSpent"
       FROM refresh_tokens WHERE jti = $1 AND session_id = $2 FOR UPDATE`,
      [jti, sessionId],
    );
  }

  async findClaims(jti: string): Promise<RefreshClaims | null> {
    return this.sql.maybeOne<RefreshClaims>(`SELECT ${CLAIM_COLUMNS} FROM refresh_tokens WHERE jti = $1`, [
      jti,
    ]);
  }

  /**
   * Marks a token as spent. Deletes the session's tokens spent more than `keepSpentSeconds` ago, so that they
   * cannot pile up.
   */
  async spend(jti: string, successor: string, keepSpentSeconds: number): Promise<void> {
    await this.sql.execute(
      `WITH forgotten AS (
         DELETE FROM refresh_tokens
         WHERE session_id = (SELECT session_id FROM refresh_tokens WHERE jti = $1)
           AND spent_at < clock_timestamp() - make_interval(secs => $3))
       UPDATE refresh_tokens SET spent_at = clock_timestamp(), successor = $2 WHERE jti = $1`,
      [jti, successor, keepSpentSeconds],
    );
  }
}
