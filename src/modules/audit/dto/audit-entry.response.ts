import type { AuditChanges } from '../../../platform/audit-log/audit-details.js';
import { ApiProperty } from '@nestjs/swagger';
import {
  type ActorType,
  actorTypes,
  type AuditAction,
  type AuditOutcome,
  auditOutcomes,
  type AuditReason,
} from '../../../platform/audit-log/audit.types.js';
import { auditActions, auditReasons } from '../../audit-actions.js';

import type { DecryptedEntry } from '../audit.service.js';

const ID = '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10';

class AuditActorResponse {
  @ApiProperty({ enum: actorTypes, example: 'user' })
  type: ActorType;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, example: ID })
  id: string | null;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, example: ID })
  session_id: string | null;

  /** The current address of the user. Null unless the caller may read that user */
  @ApiProperty({ type: String, nullable: true, example: 'ada@example.com' })
  email: string | null;
}

class AuditTargetResponse {
  /** @example user */
  type: string;

  /** @example 0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10 */
  id: string;

  /** The current address if the target is a user whom the caller may read, and null otherwise */
  @ApiProperty({ type: String, nullable: true, example: 'ada@example.com' })
  email: string | null;
}

/** An audit entry. Its personal values are null once the user they belong to is erased. */
export class AuditEntryResponse {
  @ApiProperty({ format: 'uuid', example: ID })
  id: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  occurred_at: string;

  actor: AuditActorResponse;

  @ApiProperty({ enum: auditActions, example: 'user.update' })
  action: AuditAction;

  @ApiProperty({
    type: AuditTargetResponse,
    nullable: true,
    example: { type: 'user', id: ID, email: 'ada@example.com' },
  })
  target: AuditTargetResponse | null;

  @ApiProperty({ enum: auditOutcomes, example: 'success' })
  outcome: AuditOutcome;

  /** The old and the new value of each changed field */
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { name: { from: 'Ada', to: 'Ada Lovelace' } },
  })
  changes: AuditChanges | null;

  @ApiProperty({ type: String, nullable: true, example: '203.0.113.7' })
  ip: string | null;

  @ApiProperty({ type: String, nullable: true, example: 'curl/8.5.0' })
  user_agent: string | null;

  @ApiProperty({ type: String, nullable: true, example: ID })
  request_id: string | null;

  /** The id of the W3C trace that the request belonged to */
  @ApiProperty({ type: String, nullable: true, example: '4bf92f3577b34da6a3ce929d0e0e4736' })
  trace_id: string | null;

  /** The reason for a refused sign-in. A `throttled` attempt was refused without checking the password */
  @ApiProperty({ type: String, enum: auditReasons, nullable: true, example: null })
  reason: AuditReason | null;
}

export function toAuditEntryResponse(entry: DecryptedEntry): AuditEntryResponse {
  const { targetType, targetId, origin } = entry;
  return {
    id: entry.id,
    occurred_at: entry.occurredAt.toISOString(),
    actor: {
      type: entry.actorType,
      id: entry.actorId,
      session_id: entry.sessionId,
      email: entry.actorEmail,
    },
    action: entry.action,
    target:
      targetType === null || targetId === null
        ? null
        : { type: targetType, id: targetId, email: entry.targetEmail },
    outcome: entry.outcome,
    changes: entry.changes,
    ip: origin?.ip ?? null,
    user_agent: origin?.userAgent ?? null,
    request_id: entry.requestId,
    trace_id: entry.traceId,
    reason: entry.reason,
  };
}
