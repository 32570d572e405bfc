import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { KeyedDigestService } from '../../../platform/crypto/keyed-digest.service.js';
import { deleteInBatches } from '../../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import type { WatchedSession } from '../../auth/principals/session-watch.service.js';
import { SocketTicketsRepository } from './socket-tickets.repository.js';

export const TICKET_SECONDS = 30;
/** A ticket holds as many random bytes as bytes of their digest. */
const HALF_BYTES = 16;
const PURPOSE = 'socket ticket';

/**
 * Issues tickets with which a browser opens a WebSocket, because it cannot send `Authorization` there. A ticket works once,
 * on any instance.
 */
@Injectable()
export class TicketsService implements OnModuleInit {
  constructor(
    private readonly repository: SocketTicketsRepository,
    private readonly worker: TaskWorker,
    private readonly digests: KeyedDigestService,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('live-events.clean-up', '27 * * * *', () => this.deleteExpired());
  }

  async issue(session: WatchedSession): Promise<string> {
    const random = randomBytes(HALF_BYTES);
    const ticket = Buffer.concat([random, this.tagOf(random)]).toString('base64url');
    await this.repository.insert(digest(ticket), session, TICKET_SECONDS);
    return ticket;
  }

  /** Returns the session of a valid ticket, which is then spent; null for any other. */
  async spend(ticket: string): Promise<WatchedSession | null> {
    return this.isIssued(ticket) ? this.repository.spend(digest(ticket)) : null;
  }

  deleteExpired(): Promise<void> {
    return deleteInBatches((limit) => this.repository.deleteExpired(limit));
  }

  /** Tells whether this service made the ticket, so that invented ones cost no query: they come before the rate limit. */
  private isIssued(ticket: string): boolean {
    const bytes = Buffer.from(ticket, 'base64url');
    if (bytes.length !== 2 * HALF_BYTES) return false;
    return timingSafeEqual(this.tagOf(bytes.subarray(0, HALF_BYTES)), bytes.subarray(HALF_BYTES));
  }

  private tagOf(random: Buffer): Buffer {
    return this.digests.digest(PURPOSE, [random]).subarray(0, HALF_BYTES);
  }
}

const digest = (ticket: string): Buffer => createHash('sha256').update(ticket).digest();
