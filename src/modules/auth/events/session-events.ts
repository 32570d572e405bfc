import type { DomainEvent } from '../../../platform/events/domain-events.js';

export const sessionEventTypes = {
  started: 'session.started',
  revoked: 'session.revoked',
  reuseDetected: 'session.reuse_detected',
} as const;

/** One session of a user, or all of them but one. */
export type WhichSessions =
  | { readonly sessionId: string; readonly exceptSessionId?: never }
  | { readonly sessionId?: never; readonly exceptSessionId: string | null };

/**
 * Sessions of a user were ended by force: not because the user logged out, nor because they expired. What was asked for
 * in them must not go on. Published in the transaction that ends them.
 */
export class SessionsRevoked implements DomainEvent {
  readonly type = sessionEventTypes.revoked;

  constructor(
    readonly userId: string,
    readonly which: WhichSessions,
  ) {}
}
