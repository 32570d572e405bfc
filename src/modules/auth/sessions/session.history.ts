import { Injectable } from '@nestjs/common';
import type { RequestOrigin } from '../../../common/context/request-context.js';
import type { AuditAction } from '../../../platform/audit-log/audit.types.js';
import {
  AuditLog,
  type NewAuditEntry,
  type PreparedEntry,
} from '../../../platform/audit-log/audit-log.service.js';
import { EventStore } from '../../../platform/event-store/event-store.js';
import { sessionEventTypes } from '../events/sessions-revoked.event.js';
import { SecurityLog } from './security.log.js';

/** The versions of the two events in a session's stream: it starts and it ends. */
const STARTED_VERSION = 1;
const ENDED_VERSION = 2;

const userTarget = (id: string) => ({ type: 'user', id });

const refreshEntry = (sessionId: string, userId: string): NewAuditEntry => ({
  action: 'auth.refresh',
  target: userTarget(userId),
  actor: { type: 'user', id: userId, sessionId },
});

/**
 * Records the changes of sessions as events, audit entries and log lines, in the transaction that makes the
 * change.
 */
@Injectable()
export class SessionHistory {
  constructor(
    private readonly store: EventStore,
    private readonly audit: AuditLog,
    private readonly log: SecurityLog,
  ) {}

  async recordStarted(
    sessionId: string,
    userId: string,
    { at, ip, userAgent }: RequestOrigin & { at: Date },
  ): Promise<void> {
    const data = { session_id: sessionId, device: userAgent, ip };
    const type = sessionEventTypes.started;
    await this.store.append([
      { type, stream: sessionId, version: STARTED_VERSION, subject: userId, occurredAt: at, data },
    ]);
    this.log.logChange(type, { user_id: userId, session_id: sessionId });
  }

  /** Records a refresh. It stores no event because the session does not change. */
  async recordRefreshed(sessionId: string, userId: string): Promise<void> {
    await this.audit.record(refreshEntry(sessionId, userId));
    this.logRefreshed(sessionId, userId);
  }

  /** Prepares the audit entry of a refresh, for the statement that does both. */
  prepareRefreshed(sessionId: string, userId: string): Promise<PreparedEntry> {
    return this.audit.prepare(refreshEntry(sessionId, userId));
  }

  /** Stores the use of the IP address of a prepared entry. Call it in the unit of work that writes the entry. */
  storeIpUse(entry: PreparedEntry): Promise<void> {
    return this.audit.storeIpUse(entry);
  }

  logRefreshed(sessionId: string, userId: string): void {
    this.log.logChange('session.refreshed', { user_id: userId, session_id: sessionId });
  }

  /**
   * Records ended sessions. `action` names the audit entry; null writes none because the entry of the cause
   * exists. `actor` is by default the caller.
   */
  async recordEnded(
    sessionIds: readonly string[],
    userId: string,
    action: AuditAction | null,
    actor?: NewAuditEntry['actor'],
  ): Promise<void> {
    if (sessionIds.length === 0) return;
    const type = sessionEventTypes.revoked;
    await this.store.append(
      sessionIds.map((id) => ({
        type,
        stream: id,
        version: ENDED_VERSION,
        subject: userId,
        data: { session_id: id },
      })),
    );
    if (action !== null)
      await this.audit.record({ action, target: userTarget(userId), ...(actor && { actor }) });
    for (const id of sessionIds) this.log.logChange(type, { user_id: userId, session_id: id });
  }

  /** Records the reuse of a refresh token, which has ended the session. */
  async recordReuse(sessionId: string, userId: string): Promise<void> {
    const data = { session_id: sessionId };
    const type = sessionEventTypes.reuseDetected;
    await this.store.append([{ type, stream: sessionId, version: ENDED_VERSION, subject: userId, data }]);
    await this.audit.record({
      action: 'auth.reuse_detected',
      target: userTarget(userId),
      outcome: 'denied',
    });
    this.log.logChange(type, { user_id: userId, session_id: sessionId });
  }
}
