import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';

export type Purpose = 'verify-email' | 'change-email' | 'reset-password';

/** Seconds. Ten minutes where a token lets somebody in (ASVS 5.0, 6.5.5). */
const LIFETIME: Readonly<Record<Purpose, number>> = {
  'verify-email': 86_400,
  'change-email': 3600,
  'reset-password': 600,
};
const TOKEN_BYTES = 32;
/** Mails that one account is sent for one purpose in an hour, whoever asks for them. */
const MAX_AN_HOUR = 5;

export interface Granted {
  readonly purpose: Purpose;
  readonly userId: string;
  /** The address that the token was sent to. */
  readonly email: string;
  /** The session that asked for it, and must be alive when the token is used; null when nobody was signed in for that. */
  readonly sessionId?: string | null;
}

/** That there is a token, not which. */
export interface MailedToken {
  readonly purpose: Purpose;
  readonly email: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** Of what one account can have: so many an hour for each purpose, and none lives for longer than a day. */
const MAX_OF_USER = 1000;

const FOUND = `purpose, user_id AS "userId", email, session_id AS "sessionId"`;
/** The session of the token `$1`, which nobody ends until the unit of work does. */
const ASKING = `
  SELECT sessions.id FROM one_time_tokens JOIN sessions ON sessions.id = session_id
  WHERE hash = $1 AND sessions.expires_at > clock_timestamp() FOR KEY SHARE OF sessions`;

/** Tokens that are mailed; only their hashes are kept. */
@Injectable()
export class OneTimeTokensRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** Within a unit of work. @returns the token; null when the account was sent enough of them, or is deleted */
  async issue({ purpose, userId, email, sessionId = null }: Granted): Promise<string | null> {
    // One after the other for an account: of those side by side none would see the others.
    await this.unitOfWork.manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `one_time_tokens:${userId}`,
    ]);
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const issued: unknown[] = await this.unitOfWork.manager.query(
      `INSERT INTO one_time_tokens (hash, purpose, user_id, email, session_id, created_at, expires_at)
       SELECT $1, $2, $3, $4, $7, at, at + make_interval(secs => $5::integer) FROM clock_timestamp() AS at
       WHERE (SELECT count(*) FROM one_time_tokens
              WHERE user_id = $3 AND purpose = $2 AND created_at > at - interval '1 hour') < $6
         AND EXISTS (SELECT FROM users WHERE id = $3 AND deleted_at IS NULL)
       RETURNING 1`,
      [digest(token), purpose, userId, email, LIFETIME[purpose], MAX_AN_HOUR, sessionId],
    );
    if (issued.length === 0) return null;
    // Only now: a request that the limit refuses leaves the earlier token good.
    if (purpose === 'change-email') await this.expireOthers(userId, purpose, token);
    return token;
  }

  /** @returns the seconds until the limit allows another mail, at least one */
  async secondsUntilNext(userId: string, purpose: Purpose): Promise<number> {
    const rows: { seconds: number }[] = await this.unitOfWork.manager.query(
      `SELECT greatest(1, ceil(extract(epoch FROM created_at + interval '1 hour' - clock_timestamp())))::integer AS seconds
       FROM one_time_tokens WHERE user_id = $1 AND purpose = $2 ORDER BY created_at DESC OFFSET $3 LIMIT 1`,
      [userId, purpose, MAX_AN_HOUR - 1],
    );
    return rows[0]?.seconds ?? 1;
  }

  /** Without using it up. */
  async find(token: string, purposes: readonly Purpose[]): Promise<Granted | null> {
    const rows: Granted[] = await this.unitOfWork.manager.query(
      `SELECT ${FOUND} FROM one_time_tokens WHERE hash = $1 AND purpose = ANY ($2) AND expires_at > clock_timestamp()`,
      [digest(token), purposes],
    );
    return rows[0] ?? null;
  }

  /**
   * Of callers who race one gets it. Its row stays, for it counts as a mail that was sent. Hold the user before: whoever
   * ends sessions does.
   */
  async use(token: string, purposes: readonly Purpose[]): Promise<Granted | null> {
    const [rows]: [Granted[]] = await this.unitOfWork.manager.query(
      `WITH asking AS (${ASKING})
       UPDATE one_time_tokens SET expires_at = clock_timestamp()
       WHERE hash = $1 AND purpose = ANY ($2) AND expires_at > clock_timestamp()
         AND (session_id IS NULL OR session_id IN (SELECT id FROM asking))
       RETURNING ${FOUND}`,
      [digest(token), purposes],
    );
    return rows[0] ?? null;
  }

  /** Expires every token of the user. */
  async expireOfUser(userId: string): Promise<void> {
    await this.unitOfWork.manager.query(
      `UPDATE one_time_tokens SET expires_at = clock_timestamp()
       WHERE user_id = $1 AND expires_at > clock_timestamp()`,
      [userId],
    );
  }

  findOfUser(userId: string): Promise<MailedToken[]> {
    return this.unitOfWork.manager.query(
      `SELECT purpose, email, created_at AS "createdAt", expires_at AS "expiresAt" FROM one_time_tokens
       WHERE user_id = $1 ORDER BY created_at LIMIT ${MAX_OF_USER}`,
      [userId],
    );
  }

  async deleteOfUser(userId: string): Promise<void> {
    await this.unitOfWork.manager.query('DELETE FROM one_time_tokens WHERE user_id = $1', [userId]);
  }

  /** Those that have expired an hour ago count for nothing any more. @returns how many there were */
  async deleteExpired(limit: number): Promise<number> {
    const [, count]: [unknown, number] = await this.unitOfWork.manager.query(
      `DELETE FROM one_time_tokens WHERE hash IN (
         SELECT hash FROM one_time_tokens WHERE expires_at < clock_timestamp() - interval '1 hour'
         LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
    return count;
  }

  /** Expires the user's tokens for this purpose except `token`. */
  private async expireOthers(userId: string, purpose: Purpose, token: string): Promise<void> {
    await this.unitOfWork.manager.query(
      `UPDATE one_time_tokens SET expires_at = clock_timestamp()
       WHERE user_id = $1 AND purpose = $2 AND hash <> $3 AND expires_at > clock_timestamp()`,
      [userId, purpose, digest(token)],
    );
  }
}

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();
