import { ApiProperty } from '@nestjs/swagger';
import type { Session } from '../sessions/session.entity.js';

export class SessionResponse {
  @ApiProperty({ format: 'uuid', example: '0192f1c4-8a4e-7c31-9d52-3f6f0c2b7a10' })
  id: string;

  /**
   * The client's User-Agent header, shortened
   * @example Mozilla/5.0
   */
  device: string;

  /** @example 203.0.113.7 */
  ip: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' })
  created_at: string;

  /** The time of the last use, to the minute, or the time of the sign-in in its first minute */
  @ApiProperty({ format: 'date-time', example: '2026-01-01T12:05:00.000Z' })
  last_seen_at: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T12:05:00.000Z' })
  expires_at: string;

  /**
   * True for the session that sends this request
   * @example true
   */
  current: boolean;
}

export const toSessionResponse = (session: Session, currentId: string): SessionResponse => ({
  id: session.id,
  device: session.device,
  ip: session.ip,
  created_at: session.createdAt.toISOString(),
  // Truncated to the minute, it would come before the sign-in.
  last_seen_at: new Date(Math.max(session.lastSeenAt.getTime(), session.createdAt.getTime())).toISOString(),
  expires_at: session.expiresAt.toISOString(),
  current: session.id === currentId,
});
