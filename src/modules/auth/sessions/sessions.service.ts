import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Principal } from '../../../common/authorization/principal.types.js';
import type { RequestOrigin } from '../../../common/context/request-context.js';
import { unauthorized } from '../../../common/http/bearer-token.js';
import { newId } from '../../../common/ids.js';
import { assertTimeKey, decodeCursor, encodeCursor } from '../../../common/pagination/cursor.js';
import { type Page, toPage } from '../../../common/pagination/page.js';
import {
  assertOffsetOrCursor,
  DEFAULT_LIMIT,
  type PageQuery,
} from '../../../common/pagination/page-query.dto.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { isStatementLost } from '../../../platform/database/database.errors.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { DomainEventsService } from '../../../platform/domain-events/domain-events.service.js';
import { EndSessions } from '../commands/end-sessions.command.js';
import { SessionsRevoked } from '../events/sessions-revoked.event.js';
import { type RefreshClaims, RefreshTokensRepository } from './refresh-tokens.repository.js';
import { PrincipalCache } from '../principals/principal.cache.js';
import { SessionHistory } from './session.history.js';
import type { Session } from './session.entity.js';
import { type Claimant, MAX_SESSIONS, SessionsRepository } from './sessions.repository.js';
import type { LiveSession, PresentedRefresh, Subject } from './tokens.service.js';

/** The minimum number of seconds for which a spent token stays known after the grace period. */
const KEPT_AFTER_GRACE_SECONDS = 60;

/** The number of users whose sessions are ended at once, each in a transaction of its own. */
const ENDED_AT_ONCE = 8;

/** A new session with its live refresh token and its start time. */
export interface StartedSession extends LiveSession {
  readonly at: Date;
}

/** The result of presenting a refresh token. */
export type Rotation =
  | {
      readonly outcome: 'rotated';
      readonly userId: string;
      readonly sessionId: string;
      readonly next: RefreshClaims;
      /** The user if it was read with the token. */
      readonly user: Subject | null;
    }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'stolen' };

/** Manages sessions from sign-in to their end, and the one live refresh token of each session. */
@Injectable()
export class SessionsService {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly sessions: SessionsRepository,
    private readonly tokens: RefreshTokensRepository,
    private readonly principals: PrincipalCache,
    private readonly history: SessionHistory,
    private readonly events: DomainEventsService,
    private readonly commands: CommandBus,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Starts a session. Ends the least recently used ones when the user has reached the maximum. Locks the user
   * until the transaction ends.
   * @returns null unless the user is still active and still has the password hash in `user`
   */
  start(user: Claimant, origin: RequestOrigin): Promise<StartedSession | null> {
    return this.unitOfWork.run(async () => {
      const sessionId = newId();
      const lifetime = {
        idle: this.config.REFRESH_TOKEN_TTL_SECONDS,
        total: this.config.SESSION_MAX_SECONDS,
      };
      const started = await this.sessions.insert({ id: sessionId, user, origin }, newId(), lifetime);
      if (!started) return null;
      const { at, ended, refresh } = started;
      if (ended.length > 0) await this.principals.invalidate(ended);
      await this.history.recordEnded(ended, user.id, null);
      await this.history.recordStarted(sessionId, user.id, { at, ...origin });
      return { sessionId, at, refresh };
    });
  }

  /**
   * Exchanges a refresh token for its successor. The session row stays locked, so concurrent callers run one
   * after another. Within the grace period all of them get the same successor and the family never forks.
   * After it, a spent token counts as stolen (RFC 9700, 4.14), and its session ends. The caller has verified
   * the token, so a token that its live session does not know counts as stolen too. Theft is a return value,
   * not an exception, because the end of the session must commit.
   */
  async rotate(token: PresentedRefresh): Promise<Rotation> {
    const presentedAt = performance.now();
    return (await this.rotateLive(token)) ?? this.rotateAny(token, presentedAt);
  }

  /**
   * Locks the caller's session until the transaction ends, for work that must not start after the session's
   * end.
   * @throws AppError `UNAUTHORIZED` when the session has ended since the request began
   */
  async lockForShare({ userId, sessionId }: Principal): Promise<void> {
    if (!(await this.sessions.lockForShare(sessionId, userId))) throw unauthorized('ended');
  }

  async list(userId: string, query: PageQuery): Promise<Page<Session>> {
    assertOffsetOrCursor(query);
    const { limit = DEFAULT_LIMIT, offset = 0, cursor } = query;
    const scope = { list: 'sessions', userId };
    const after = cursor === undefined ? null : decodeCursor(cursor, scope);
    if (after) assertTimeKey(after.key);
    const rows = await this.sessions.findPageOfUser(userId, { limit: limit + 1, offset, after });
    return toPage(
      rows,
      query,
      (last) => encodeCursor({ key: last.createdAt.toISOString(), id: last.id }, scope),
      () => this.sessions.countOfUser(userId),
    );
  }

  /** Returns all live sessions of the user, at most a hundred. */
  findAllOfUser(userId: string): Promise<Session[]> {
    return this.sessions.findPageOfUser(userId, { limit: MAX_SESSIONS, offset: 0, after: null });
  }

  async endWithAccess(userId: string): Promise<void> {
    await this.commands.execute(new EndSessions(userId, null, null));
  }

  /** Ends every session of every user. @returns the number of users */
  async endAll(): Promise<number> {
    let ended = 0;
    let users = await this.sessions.findUsers(null, ENDED_AT_ONCE);
    while (users.length > 0) {
      await Promise.all(
        users.map((id) => this.commands.execute(new EndSessions(id, null, 'session.revoke'))),
      );
      ended += users.length;
      users = await this.sessions.findUsers(users.at(-1) ?? null, ENDED_AT_ONCE);
    }
    return ended;
  }

  /**
   * Rotates a live token in one round trip.
   * @returns null when the token must be looked at more closely, or when the connection was lost. If the
   * statement had committed, `rotateAny` finds the successor
   */
  private async rotateLive(token: PresentedRefresh): Promise<Rotation | null> {
    const { sessionId, userId } = token;
    const entry = await this.history.prepareRefreshed(sessionId, userId);
    const lifetimes = {
      idleSeconds: this.config.REFRESH_TOKEN_TTL_SECONDS,
      keepSpentSeconds: this.keepSpentSeconds,
    };
    try {
      const rotated = await this.unitOfWork.runStatement(async () => {
        await this.history.storeIpUse(entry);
        const successor = await this.tokens.rotate(token, newId(), lifetimes, entry.values);
        if (successor) this.history.logRefreshed(sessionId, userId);
        return successor;
      });
      if (!rotated) return null;
      const { email, emailVerified, roles, ...next } = rotated;
      return {
        outcome: 'rotated',
        userId,
        sessionId,
        next,
        user: { id: userId, email, emailVerified, roles },
      };
    } catch (error) {
      if (isStatementLost(error)) return null;
      throw error;
    }
  }

  private rotateAny({ jti, sessionId }: PresentedRefresh, presentedAt: number): Promise<Rotation> {
    return this.unitOfWork.run(async (): Promise<Rotation> => {
      const session = await this.sessions.findAliveForUpdate(sessionId);
      if (!session) return { outcome: 'refused' };
      const { userId } = session;
      // The time of presentation counts. Waiting for other callers or a connection must not look like theft.
      // It is measured before the token is read, because a late answer must not make a stolen token look timely.
      const waitedSeconds = (performance.now() - presentedAt) / 1000;
      const presented = await this.tokens.findForUpdate(jti, sessionId);
      if (!presented) return this.endOnReuse(sessionId, userId);
      const { successor, secondsSinceSpent } = presented;
      if (successor === null || secondsSinceSpent === null) {
        return {
          outcome: 'rotated',
          userId,
          sessionId,
          next: await this.issueSuccessor(jti, sessionId, userId),
          user: null,
        };
      }
      if (secondsSinceSpent - waitedSeconds > this.config.REFRESH_GRACE_SECONDS) {
        return this.endOnReuse(sessionId, userId);
      }
      const next = await this.tokens.findClaims(successor);
      return next ? { outcome: 'rotated', userId, sessionId, next, user: null } : { outcome: 'refused' };
    });
  }

  private async endOnReuse(sessionId: string, userId: string): Promise<Rotation> {
    await this.sessions.deleteOfUser(sessionId, userId);
    await this.principals.invalidate([sessionId]);
    await this.history.recordReuse(sessionId, userId);
    await this.events.publish(new SessionsRevoked(userId, { sessionId }));
    return { outcome: 'stolen' };
  }

  private async issueSuccessor(jti: string, sessionId: string, userId: string): Promise<RefreshClaims> {
    await this.sessions.extend(sessionId, this.config.REFRESH_TOKEN_TTL_SECONDS);
    const next = await this.tokens.insert(newId(), sessionId);
    await this.tokens.spend(jti, next.jti, this.keepSpentSeconds);
    await this.history.recordRefreshed(sessionId, userId);
    return next;
  }

  /**
   * The number of seconds for which a spent token stays known. It exceeds the grace period by the longest
   * wait of a caller, so that a timely caller does not look like a thief.
   */
  private get keepSpentSeconds(): number {
    const { REFRESH_GRACE_SECONDS, REQUEST_TIMEOUT_MS } = this.config;
    return REFRESH_GRACE_SECONDS + Math.max(KEPT_AFTER_GRACE_SECONDS, REQUEST_TIMEOUT_MS / 1000);
  }
}
