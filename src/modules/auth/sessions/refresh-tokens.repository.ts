import { Injectable } from '@nestjs/common';
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
