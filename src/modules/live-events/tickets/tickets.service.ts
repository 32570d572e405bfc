import { createHash, randomBytes } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { deleteInBatches } from '../../../platform/queue/delete-in-batches.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import type { WatchedSession } from '../../auth/principals/session-watch.service.js';
import { SocketTicketsRepository } from './socket-tickets.repository.js';

export const TICKET_SECONDS = 30;
const TICKET_BYTES = 32;

/**
 * Issues tickets with which a browser opens a WebSocket, because it cannot send `Authorization` there. A ticket works once,
 * on any instance.
 */
@Injectable()
export class TicketsService implements OnModuleInit {
  constructor(
    private readonly repository: SocketTicketsRepository,
    private readonly worker: TaskWorker,
  ) {}

  onModuleInit(): void {
    this.worker.registerPeriodic('live-events.clean-up', '27 * * * *', () => this.deleteExpired());
  }

  async issue(session: WatchedSession): Promise<string> {
    const ticket = randomBytes(TICKET_BYTES).toString('base64url');
    await this.repository.insert(digest(ticket), session, TICKET_SECONDS);
    return ticket;
  }

  /** Returns the session of a valid ticket, which is then spent; null for any other. */
  spend(ticket: string): Promise<WatchedSession | null> {
    return this.repository.spend(digest(ticket));
  }

  deleteExpired(): Promise<void> {
    return deleteInBatches((limit) => this.repository.deleteExpired(limit));
  }
}

const digest = (ticket: string): Buffer => createHash('sha256').update(ticket).digest();
