import { Injectable } from '@nestjs/common';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import type { WatchedSession } from '../../auth/principals/session-watch.service.js';

/** Stores the hashes of tickets, never the tickets. */
@Injectable()
export class SocketTicketsRepository {
  constructor(private readonly sql: SqlRunner) {}

  async insert(hash: Buffer, session: WatchedSession, lifetimeSeconds: number): Promise<void> {
    await this.sql.execute(
      `INSERT INTO socket_tickets (hash, user_id, session_id, token_expires_at, expires_at)
       VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5::integer))`,
      [hash, session.userId, session.sessionId, new Date(session.expiresAtMs), lifetimeSeconds],
    );
  }

  /** Uses a ticket. When callers race, one of them gets its session. */
  async spend(hash: Buffer): Promise<WatchedSession | null> {
    return this.sql.maybeOne<WatchedSession>(
      `DELETE FROM socket_tickets WHERE hash = $1 AND expires_at > clock_timestamp()
       RETURNING user_id AS "userId", session_id AS "sessionId",
                 extract(epoch FROM token_expires_at)::float8 * 1000 AS "expiresAtMs"`,
      [hash],
    );
  }

  /** Deletes expired tickets. @returns the number of deleted rows */
  deleteExpired(limit: number): Promise<number> {
    return this.sql.affected(
      `DELETE FROM socket_tickets WHERE hash IN (
         SELECT hash FROM socket_tickets WHERE expires_at < clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
  }
}
