import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { type RequestContext, requestContext } from '../../../common/context/request-context.js';
import { bearerToken, unauthorized } from '../../../common/http/bearer-token.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { asksForUpgrade, takeUpgrade } from '../../../platform/http/server/upgrades.js';
import { LifecycleService } from '../../../platform/lifecycle/lifecycle.service.js';
import { RateLimiter } from '../../../platform/rate-limit/rate-limiter.service.js';
import { PrincipalsService } from '../../auth/principals/principals.service.js';
import { SessionWatchService, type WatchedSession } from '../../auth/principals/session-watch.service.js';
import { EventReader } from '../feed/event.reader.js';
import { EventSource } from '../feed/event.source.js';
import { EventTailer } from '../feed/event.tailer.js';
import { LiveEventsMetrics } from '../live-events.metrics.js';
import { StreamPlacesService } from '../stream-places.service.js';
import { TicketsService } from '../tickets/tickets.service.js';
import { closeCodes, EventSocket } from './event.socket.js';
import { assertOrigin, PROTOCOL, readHandshake, upgradeRequired } from './handshake.js';

const MAX_MESSAGE_BYTES = 64 * 1024;
/** The bounds on the pieces of one message, so that many tiny ones cost no more memory than a large one. */
const MAX_FRAGMENTS = 1024;
const BEAT_CHECK_MS = 1000;
/** For the context of work that only the end of the socket ends. */
const NEVER = new AbortController().signal;

/** A caller who may open a socket. */
interface Admitted {
  readonly session: WatchedSession;
  readonly principal: Principal;
}

/** Opens WebSockets, checks them before the handshake, and keeps them for as long as their caller may read events. */
@Injectable()
export class SocketServer implements OnModuleInit, OnModuleDestroy {
  /** The interval in ms of the pings that detect dead connections. */
  heartbeatMs = 30_000;
  /** The time in ms for a slow reader to take what waits for it. */
  drainTimeoutMs = 10_000;
  private readonly server: WebSocketServer;
  /** The open sockets with the time of their next ping. */
  private readonly sockets = new Map<EventSocket, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly places: StreamPlacesService,
    private readonly tickets: TicketsService,
    private readonly source: EventSource,
    private readonly tailer: EventTailer,
    private readonly sessions: SessionWatchService,
    private readonly principals: PrincipalsService,
    private readonly limiter: RateLimiter,
    private readonly auditLog: AuditLog,
    private readonly lifecycle: LifecycleService,
    private readonly metrics: LiveEventsMetrics,
  ) {
    const options: ServerOptions & { readonly maxFragments: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      maxFragments: MAX_FRAGMENTS,
      handleProtocols: () => PROTOCOL,
    };
    this.server = new WebSocketServer(options);
  }

  onModuleInit(): void {
    this.timer = setInterval(() => this.beat(), BEAT_CHECK_MS).unref();
    this.lifecycle.stopping.addEventListener('abort', () => {
      for (const socket of this.sockets.keys())
        socket.close(closeCodes.stopping, 'stop', 'This instance is stopping');
    });
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    for (const socket of this.sockets.keys()) socket.terminate();
  }

  /** Opens a socket. @throws AppError before the handshake */
  async open(request: Request, response: Response): Promise<void> {
    const context = requestContext.current();
    if (!context) throw new Error('a socket must be opened within a request');
    const { session, principal } = await this.admit(request, response, context);
    context.caller = { principal, refusal: null };
    const free = this.places.take(session.userId);
    try {
      // Everything that settles from now on reaches the client.
      const place = await this.source.findEnd();
      const socket = this.shakeHands(request, response);
      if (!socket) return free();
      requestContext.outside(() => this.keep(socket, { session, place, free, context: contextOf(context) }));
    } catch (error) {
      free();
      throw error;
    }
  }

  /** Identifies the caller by the token or by the ticket. */
  private async admit(request: Request, response: Response, { caller }: RequestContext): Promise<Admitted> {
    const token = bearerToken(request);
    if (token !== null) return this.admitByToken(request, token, caller);
    let admitted: Admitted | null = null;
    try {
      admitted = await this.admitByTicket(request);
      return admitted;
    } finally {
      // Many users share an address, so whoever has a valid ticket counts for themselves.
      await this.limiter.takeLate({ request, response }, admitted?.principal ?? null);
    }
  }

  private admitByToken(request: Request, token: string, caller: RequestContext['caller']): Admitted {
    if (!asksForUpgrade(request)) throw upgradeRequired();
    const session = this.sessions.sessionOf(token);
    const { principal, refusal } = caller;
    if (!principal || !session) throw unauthorized(refusal ?? 'expired');
    assertOrigin(request, this.config.CORS_ORIGINS, this.config.PUBLIC_URL);
    readHandshake(request);
    return { session, principal };
  }

  private async admitByTicket(request: Request): Promise<Admitted> {
    if (!asksForUpgrade(request)) throw upgradeRequired();
    const { ticket } = readHandshake(request);
    if (ticket === null) throw unauthorized(null);
    assertOrigin(request, this.config.CORS_ORIGINS, this.config.PUBLIC_URL);
    const session = await this.tickets.spend(ticket);
    const principal = session && (await this.principals.find(session.userId, session.sessionId));
    if (!principal) throw unauthorized('invalid', 'The ticket is not valid: get a new one');
    return { session, principal };
  }

  /** Returns the open socket, or null when the client has left. */
  private shakeHands(request: Request, response: Response): WebSocket | null {
    const headers = Object.entries(response.getHeaders()).map(([name, value]) => `${name}: ${String(value)}`);
    const upgrade = takeUpgrade(request, response);
    if (!upgrade) return null;
    let opened: WebSocket | null = null;
    this.server.once('headers', (lines) => lines.push(...headers));
    this.server.handleUpgrade(request, upgrade.socket, upgrade.head, (socket) => {
      opened = socket;
    });
    this.server.removeAllListeners('headers');
    return opened;
  }

  private keep(
    webSocket: WebSocket,
    {
      session,
      place,
      free,
      context,
    }: { session: WatchedSession; place: string; free: () => void; context: RequestContext },
  ): void {
    const own = { subject: session.userId, types: null };
    const reader = new EventReader(this.source, this.tailer, place, { own, all: null });
    const socket = new EventSocket(webSocket, reader, {
      requestId: context.requestId,
      drainTimeoutMs: this.drainTimeoutMs,
      findPrincipal: () => this.principals.find(session.userId, session.sessionId),
      assertReached: (after) => this.source.assertReached(after, 'after'),
      recordDenial: () => requestContext.run(context, () => this.recordDenial()),
      sent: (events) => this.metrics.sent('websocket', events),
      ending: (reason) => this.metrics.ending('websocket', reason),
    });
    this.sockets.set(socket, performance.now() + this.heartbeatMs);
    this.metrics.opened('websocket');
    const unwatch = this.sessions.watch(session, socket);
    webSocket.once('close', () => {
      unwatch();
      free();
      this.sockets.delete(socket);
      this.metrics.closed('websocket');
    });
    void socket.run();
    if (this.lifecycle.stopping.aborted)
      socket.close(closeCodes.stopping, 'stop', 'This instance is stopping');
  }

  private beat(): void {
    const now = performance.now();
    for (const [socket, at] of this.sockets) {
      if (now < at) continue;
      this.sockets.set(socket, now + this.heartbeatMs);
      socket.beat();
    }
  }

  private async recordDenial(): Promise<void> {
    await this.auditLog.record({
      action: 'permission.check',
      target: { type: 'route', id: 'GET /ws' },
      outcome: 'denied',
    });
  }
}

/** Returns what later messages need of the request, so that the socket does not keep the request in memory. */
const contextOf = ({ requestId, trace, origin, caller }: RequestContext): RequestContext => ({
  requestId,
  trace,
  origin,
  caller,
  signal: NEVER,
});
