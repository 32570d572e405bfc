import type { DomainEvent } from '../../../platform/domain-events/domain-events.service.js';

export const sessionEventTypes = {
  started: 'session.started',
  revoked: 'session.revoked',
  reuseDetected: 'session.reuse_detected',
} as const;

/** One session of a user, or all sessions except one. */
export type WhichSessions =
  | { readonly sessionId: string; readonly exceptSessionId?: never }
  | { readonly sessionId?: never; readonly exceptSessionId: string | null };

/**
 * Reports that sessions of a user were revoked, rather than logged out or expired. Work requested in these
 * sessions must stop. Published in the transaction that ends them.
 */
export class SessionsRevoked implements DomainEvent {
  readonly type = sessionEventTypes.revoked;

  constructor(
    readonly userId: string,
    readonly which: WhichSessions,
  ) {}
}
