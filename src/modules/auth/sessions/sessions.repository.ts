import { Injectable } from '@nestjs/common';
import { Raw } from 'typeorm';
import type { RequestOrigin } from '../../../common/context/request-context.js';
import type { PageKey } from '../../../common/pagination/cursor.js';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { CLAIM_COLUMNS, type RefreshClaims } from './refresh-tokens.repository.js';
import { Session } from './session.entity.js';

/** The user whose password was compared, and the hash that it was compared with. */
export interface Claimant {
  readonly id: string;
  readonly passwordHash: string | null;
}

interface NewSession {
  readonly id: string;
  readonly user: Claimant;
  readonly origin: RequestOrigin;
}

/** The lifetime of a session in seconds. */
interface Lifetime {
  readonly idle: number;
  readonly total: number;
}

/**
 * The maximum number of sessions of one user. Further sign-ins end the least recently used ones. Concurrent
 * sign-ins may pick the same ones.
 */
export const MAX_SESSIONS = 100;

export interface Started {
  readonly at: Date;
  readonly refresh: RefreshClaims;
  /** The ids of the sessions that were ended to make room. */
  readonly ended: string[];
}

const INSERT = prepared(
  `WITH locked_user AS (
     SELECT id, clock_timestamp() AS at FROM users
     WHERE id = $2 AND status = 'active' AND password_hash IS NOT DISTINCT FROM $3 FOR SHARE),
   ended AS (
     DELETE FROM sessions WHERE id IN (
       SELECT id FROM sessions WHERE id IN (
         SELECT sessions.id FROM sessions JOIN locked_user ON user_id = locked_user.id
         WHERE expires_at > clock_timestamp()
         ORDER BY last_seen_at DESC, sessions.id DESC OFFSET $9::integer)
       FOR UPDATE SKIP LOCKED)
     RETURNING id),
   session AS (
     INSERT INTO sessions (id, user_id, device, ip, created_at, last_seen_at, expires_at, ends_at)
     SELECT $1, id, $4, $5, at, date_trunc('minute', at),
            at + make_interval(secs => least($6::integer, $7::integer)), at + make_interval(secs => $7::integer)
     FROM locked_user
     RETURNING id, created_at, expires_at),
   token AS (
     INSERT INTO refresh_tokens (jti, session_id, issued_at, expires_at)
     SELECT $8, id, date_trunc('second', created_at), date_trunc('second', expires_at) FROM session
     RETURNING ${CLAIM_COLUMNS})
   SELECT jti, iat, exp, created_at AS at, ARRAY(SELECT id FROM ended) AS ended FROM token, session`,
);

const IS_ALIVE = 'session.expiresAt > clock_timestamp()';

/** Stores live sessions. Reads skip expired sessions; ended ones have no row. */
@Injectable()
export class SessionsRepository {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly sql: SqlRunner,
  ) {}

  /**
   * Inserts a session with its first refresh token. Both take one statement because every sign-in waits for
   * it, which is why the token is not inserted by its own repository. Skips locked sessions when it makes
   * room, because they are in use. Locks the user (`FOR SHARE`) until the transaction ends, so concurrent
   * sign-ins do not block each other.
   * @returns null unless the user is active and has that password hash
   */
  async insert({ id, user, origin }: NewSession, jti: string, life: Lifetime): Promise<Started | null> {
    const rows = await this.sql.rows<RefreshClaims & Omit<Started, 'refresh'>>(INSERT, [
      id,
      user.id,
      user.passwordHash,
      origin.userAgent,
      origin.ip,
      life.idle,
      life.total,
      jti,
      MAX_SESSIONS - 1,
    ]);
    const [row] = rows;
    if (!row) return null;
    const { at, ended, ...refresh } = row;
    return { at, ended, refresh };
  }

  /** Locks the session until the transaction ends. Every change to its tokens waits for this lock. */
  findAliveForUpdate(id: string): Promise<Session | null> {
    return this.sessions
      .createQueryBuilder('session')
      .where({ id })
      .andWhere(IS_ALIVE)
      .setLock('pessimistic_write')
      .getOne();
  }

  /**
   * Locks the session (`FOR KEY SHARE`) so that no other transaction can end it. @returns whether it is alive
   */
  async lockForShare(id: string, userId: string): Promise<boolean> {
    const row = await this.sql.maybeOne<object>(
      `SELECT 1 FROM sessions WHERE id = $1 AND user_id = $2 AND expires_at > clock_timestamp() FOR KEY SHARE`,
      [id, userId],
    );
    return row !== null;
  }

  findPageOfUser(
    userId: string,
    page: { limit: number; offset: number; after: PageKey | null },
  ): Promise<Session[]> {
    const query = this.sessions.createQueryBuilder('session').where({ userId }).andWhere(IS_ALIVE);
    if (page.after) query.andWhere('(session.createdAt, session.id) > (:key, :id)', page.after);
    return query
      .orderBy('session.createdAt')
      .addOrderBy('session.id')
      .limit(page.limit)
      .offset(page.offset)
      .getMany();
  }

  /** Returns the IP addresses of the user's live sessions. */
  async findAddressesOfUser(userId: string): Promise<string[]> {
    const rows = await this.sql.rows<{ ip: string }>(
      `SELECT DISTINCT ip FROM sessions WHERE user_id = $1 AND expires_at > clock_timestamp() LIMIT ${MAX_SESSIONS}`,
      [userId],
    );
    return rows.map((row) => row.ip);
  }

  countOfUser(userId: string): Promise<number> {
    return this.sessions.createQueryBuilder('session').where({ userId }).andWhere(IS_ALIVE).getCount();
  }

  /**
   * Extends the session to `idleSeconds` from now, at most to its absolute end. The caller holds the row
   * lock.
   */
  async extend(id: string, idleSeconds: number): Promise<void> {
    await this.sql.execute(
      `UPDATE sessions
       SET expires_at = least(ends_at, clock_timestamp() + make_interval(secs => $2::integer)),
           last_seen_at = date_trunc('minute', clock_timestamp())
       WHERE id = $1`,
      [id, idleSeconds],
    );
  }

  async touch(id: string): Promise<void> {
    await this.sql.execute(
      `UPDATE sessions SET last_seen_at = date_trunc('minute', clock_timestamp())
       WHERE id = $1 AND last_seen_at < date_trunc('minute', clock_timestamp())`,
      [id],
    );
  }

  /** @returns whether that user had such a live session */
  async deleteOfUser(id: string, userId: string): Promise<boolean> {
    const { affected } = await this.sessions.delete({
      id,
      userId,
      expiresAt: Raw((column) => `${column} > clock_timestamp()`),
    });
    return affected === 1;
  }

  /** Ends every session of the user except `exceptId`. @returns the ids of the ended sessions */
  async deleteAllOfUser(userId: string, exceptId: string | null): Promise<string[]> {
    const rows = await this.sql.rows<{ id: string }>(
      'DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2 RETURNING id',
      [userId, exceptId],
    );
    return rows.map(({ id }) => id);
  }

  /** Returns users with sessions, in the order of their ids, after `afterId` or from the first. */
  async findUsers(afterId: string | null, limit: number): Promise<string[]> {
    const rows = await this.sql.rows<{ id: string }>(
      `SELECT DISTINCT user_id AS id FROM sessions WHERE $1::uuid IS NULL OR user_id > $1
       ORDER BY user_id LIMIT $2`,
      [afterId, limit],
    );
    return rows.map(({ id }) => id);
  }

  /**
   * Deletes up to `limit` expired sessions, so that one call never locks many rows. @returns the number of
   * deleted rows
   */
  deleteExpired(limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM sessions WHERE id IN (
         SELECT id FROM sessions WHERE expires_at < clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
  }

  private get sessions() {
    return this.unitOfWork.manager.getRepository(Session);
  }
}
