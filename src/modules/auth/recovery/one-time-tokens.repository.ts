import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Not, Raw } from 'typeorm';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { canonicalCode, newCode } from './mailed-code.js';
import { OneTimeToken, type TokenPurpose } from './one-time-token.entity.js';

/**
 * The lifetime of a token in seconds. A token that sets a password gets ten minutes if its user has just asked for
 * it (ASVS 5.0, 6.5.5), and longer if an administrator has, because the user does not expect it.
 */
const LIFETIME_SECONDS: Readonly<Record<TokenPurpose, number>> = {
  'verify-email': 86_400,
  'change-email': 3600,
  'reset-password': 600,
  'set-password': 86_400,
  invitation: 7 * 86_400,
};
/** The number of mails per user, purpose and hour, regardless of who requests them. */
const MAX_MAILS_PER_HOUR = 5;

export interface IssuedToken {
  readonly purpose: TokenPurpose;
  readonly userId: string;
  /** The address that the token was mailed to. */
  readonly email: string;
  /**
   * The session that requested the token. It must be alive when the token is used. Null when no session
   * requested it.
   */
  readonly sessionId?: string | null;
}

/** A mailed token without its value. */
export interface MailedToken {
  readonly purpose: TokenPurpose;
  readonly email: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** More tokens than one user can have, given the hourly limit per purpose and the lifetimes. */
const MAX_TOKENS_PER_USER = 1500;

/** Compares with the clock of the database. */
const LATER_THAN_NOW = Raw((column) => `${column} > clock_timestamp()`);
const DATABASE_NOW = () => 'clock_timestamp()';

const COLUMNS = `purpose, user_id AS "userId", email, session_id AS "sessionId"`;
/**
 * Selects and locks the session that requested the token `$1`, so that it cannot end before the transaction
 * does.
 */
const LOCKED_SESSION = `
  SELECT sessions.id FROM one_time_tokens JOIN sessions ON sessions.id = session_id
  WHERE hash = $1 AND sessions.expires_at > clock_timestamp() FOR KEY SHARE OF sessions`;

/** Stores the hashes of mailed tokens, never the tokens. */
@Injectable()
export class OneTimeTokensRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /**
   * Issues a token. Needs a transaction. @returns the token, or null when the user has reached the limit or
   * is deleted
   */
  async issue({ purpose, userId, email, sessionId = null }: IssuedToken): Promise<string | null> {
    // Requests for one user run one after another, because concurrent ones would not see each other's rows.
    await this.sql.defer('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `one_time_tokens:${userId}`,
    ]);
    const token = newCode();
    const issued = await this.sql.affected(
      `INSERT INTO one_time_tokens (hash, purpose, user_id, email, session_id, created_at, expires_at)
       SELECT $1, $2, $3, $4, $7, at, at + make_interval(secs => $5::integer) FROM clock_timestamp() AS at
       WHERE (SELECT count(*) FROM one_time_tokens
              WHERE user_id = $3 AND purpose = $2 AND created_at > at - interval '1 hour') < $6
         AND EXISTS (SELECT FROM users WHERE id = $3 AND deleted_at IS NULL)`,
      [digest(token), purpose, userId, email, LIFETIME_SECONDS[purpose], MAX_MAILS_PER_HOUR, sessionId],
    );
    if (issued === 0) return null;
    // This comes last so that a request over the limit leaves the earlier token valid.
    if (purpose === 'change-email') await this.expireOthers(userId, purpose, token);
    return token;
  }

  /** @returns the seconds until the limit allows another mail, at least 1 */
  async secondsUntilNext(userId: string, purpose: TokenPurpose): Promise<number> {
    const row = await this.sql.maybeOne<{ seconds: number }>(
      `SELECT greatest(1, ceil(extract(epoch FROM created_at + interval '1 hour' - clock_timestamp())))::integer AS seconds
       FROM one_time_tokens WHERE user_id = $1 AND purpose = $2 ORDER BY created_at DESC OFFSET $3 LIMIT 1`,
      [userId, purpose, MAX_MAILS_PER_HOUR - 1],
    );
    return row?.seconds ?? 1;
  }

  /** Finds a valid token without using it. */
  find(token: string, purposes: readonly TokenPurpose[]): Promise<IssuedToken | null> {
    return this.sql.maybeOne<IssuedToken>(
      `SELECT ${COLUMNS} FROM one_time_tokens WHERE hash = $1 AND purpose = ANY ($2) AND expires_at > clock_timestamp()`,
      [digest(token), purposes],
    );
  }

  /**
   * Uses a token. When callers race, one of them gets it. The row stays because it counts as a sent mail.
   * Lock the user first, in the same order as transactions that end sessions.
   */
  use(token: string, purposes: readonly TokenPurpose[]): Promise<IssuedToken | null> {
    return this.sql.maybeOne<IssuedToken>(
      `WITH asking AS (${LOCKED_SESSION})
       UPDATE one_time_tokens SET expires_at = clock_timestamp()
       WHERE hash = $1 AND purpose = ANY ($2) AND expires_at > clock_timestamp()
         AND (session_id IS NULL OR session_id IN (SELECT id FROM asking))
       RETURNING ${COLUMNS}`,
      [digest(token), purposes],
    );
  }

  /** Expires every token of the user. */
  async expireOfUser(userId: string): Promise<void> {
    await this.tokens.update({ userId, expiresAt: LATER_THAN_NOW }, { expiresAt: DATABASE_NOW });
  }

  findOfUser(userId: string): Promise<MailedToken[]> {
    return this.tokens.find({
      select: { hash: true, purpose: true, email: true, createdAt: true, expiresAt: true },
      where: { userId },
      order: { createdAt: 'ASC' },
      take: MAX_TOKENS_PER_USER,
    });
  }

  async deleteOfUser(userId: string): Promise<void> {
    await this.tokens.delete({ userId });
  }

  /**
   * Deletes tokens that expired over an hour ago. They no longer count towards the limit. @returns the number
   * of deleted rows
   */
  async deleteExpired(limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM one_time_tokens WHERE hash IN (
         SELECT hash FROM one_time_tokens WHERE expires_at < clock_timestamp() - interval '1 hour'
         LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
  }

  /** Expires the user's tokens for this purpose except `token`. */
  private async expireOthers(userId: string, purpose: TokenPurpose, token: string): Promise<void> {
    await this.tokens.update(
      { userId, purpose, hash: Not(digest(token)), expiresAt: LATER_THAN_NOW },
      { expiresAt: DATABASE_NOW },
    );
  }

  private get tokens() {
    return this.unitOfWork.manager.getRepository(OneTimeToken);
  }
}

const digest = (token: string): Buffer => createHash('sha256').update(canonicalCode(token)).digest();
