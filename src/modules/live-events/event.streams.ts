import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Permission } from '../../common/authorization/permissions.js';
import { AppError } from '../../common/errors/app.error.js';
import { bearerToken, unauthorized } from '../../common/http/bearer-token.js';
import { toAppError } from '../../platform/http/answers/error-answer.js';
import type { ServerEvent } from '../../platform/http/answers/event-stream.js';
import { LifecycleService } from '../../platform/lifecycle/lifecycle.service.js';
import { stoppingError } from '../../platform/lifecycle/stopping.error.js';
import { SessionWatchService, type WatchedSession } from '../auth/principals/session-watch.service.js';
import type { EventChoice } from './feed/event-choice.js';
import { EventReader } from './feed/event.reader.js';
import { EventSource } from './feed/event.source.js';
import { EventTailer } from './feed/event.tailer.js';
import { type CloseReason, LiveEventsMetrics } from './live-events.metrics.js';
import { StreamPlacesService } from './stream-places.service.js';

/** The time in ms that a reader has to take the last message. */
const LAST_MESSAGE_MS = 500;

/** The events of a stream, and the permission that its caller must keep. */
export interface StreamRequest {
  readonly after: string;
  readonly choice: EventChoice;
  readonly needs: Permission | null;
}

/** Streams events as server-sent events, for as long as their caller may read them. */
@Injectable()
export class EventStreams {
  /** The interval in ms of the comments that keep an idle connection open. */
  commentIntervalMs = 30_000;

  constructor(
    private readonly places: StreamPlacesService,
    private readonly source: EventSource,
    private readonly tailer: EventTailer,
    private readonly sessions: SessionWatchService,
    private readonly lifecycle: LifecycleService,
    private readonly metrics: LiveEventsMetrics,
  ) {}

  /** Opens a stream. @throws AppError `OVERLOADED` */
  async open(request: Request, wanted: StreamRequest): Promise<AsyncGenerator<ServerEvent>> {
    const { res: response } = request;
    const token = this.sessions.sessionOf(bearerToken(request) ?? '');
    if (!response || !token) throw unauthorized('expired');
    const free = this.places.take(token.userId);
    const stream = new OpenStream(
      response,
      new EventReader(this.source, this.tailer, wanted.after, wanted.choice),
    );
    // Before anything can stop the reader, which would otherwise leave the tailer before it came.
    const started = stream.reader.start();
    const unwatch = this.watch(stream, token, wanted.needs);
    this.metrics.opened('sse');
    const close = () => {
      unwatch();
      free();
      stream.reader.stop();
      this.metrics.ending('sse', stream.closeReason);
      this.metrics.closed('sse');
    };
    // Runs on close rather than when the generator ends, because the generator of an unread stream never starts.
    if (response.closed) close();
    else response.once('close', close);
    await started;
    return this.follow(stream);
  }

  private async *follow(stream: OpenStream): AsyncGenerator<ServerEvent> {
    const { reader } = stream;
    // Lets a reader resume who leaves before the first event, and sends the head.
    yield { position: reader.cursor };
    while (!stream.hasEnded) {
      const events = await reader.next(this.commentIntervalMs);
      if (stream.error !== null) throw stream.error;
      for (const event of events) yield { encoded: event.sse };
      this.metrics.sent('sse', events.length);
      if (events.length === 0) yield { position: reader.cursor };
    }
  }

  /** Ends the stream with the session, the token, the right, and the instance. @returns the end of the watch */
  private watch(stream: OpenStream, token: WatchedSession, needs: Permission | null): () => void {
    const unwatch = this.sessions.watch(token, {
      onChange: ({ permissions }) => {
        if (needs !== null && !permissions.has(needs)) stream.end(new AppError('FORBIDDEN'), 'session');
      },
      onEnd: (refusal) => stream.end(unauthorized(refusal), 'session'),
    });
    const stop = () => stream.end(stoppingError(), 'stop');
    this.lifecycle.stopping.addEventListener('abort', stop);
    return () => {
      unwatch();
      this.lifecycle.stopping.removeEventListener('abort', stop);
    };
  }
}

/** An open response with its reader. */
class OpenStream {
  error: AppError | null = null;
  closeReason: CloseReason = 'client';

  constructor(
    private readonly response: Response,
    readonly reader: EventReader,
  ) {}

  get hasEnded(): boolean {
    return this.response.closed;
  }

  /** Sends the error as the last event. Cuts off a reader who does not take it. */
  end(error: AppError, reason: CloseReason): void {
    if (this.error !== null) return;
    this.error = toAppError(error);
    this.closeReason = reason;
    this.reader.stop();
    setTimeout(() => this.response.destroy(), LAST_MESSAGE_MS).unref();
  }
}
