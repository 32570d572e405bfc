import { Logger } from '@nestjs/common';
import type { RawData, WebSocket } from 'ws';
import type { Principal } from '../../../common/authorization/principal.types.js';
import { AppError } from '../../../common/errors/app.error.js';
import { errorEnvelope } from '../../../common/errors/error-body.js';
import { toAppError } from '../../../platform/http/answers/error-answer.js';
import type { WatchedCaller } from '../../auth/principals/session-watch.service.js';
import type { EventReader } from '../feed/event.reader.js';
import type { LiveEvent } from '../feed/live.event.js';
import type { CloseReason } from '../live-events.metrics.js';
import { type ClientMessage, parseClientMessage } from './client-message.js';

/** The codes of RFC 6455 and our own (4000 to 4999) with which the service closes a socket. */
export const closeCodes = {
  stopping: 1001,
  text: 1003,
  policy: 1008,
  tryAgain: 1013,
  sessionEnded: 4401,
  slow: 4408,
} as const;

/** The bytes that may wait for a slow reader before it gets no more. */
const MAX_BUFFERED_BYTES = 256 * 1024;
/** The messages that a client may send at once, and those that it may send each second on average. */
const MESSAGE_BURST = 60;
const MESSAGES_PER_SECOND = 10;
/**
 * The time in ms for the client to answer the closing handshake. Short at the end of a session, of which nothing may be left
 * after two seconds. A slow reader must first take what waits for it.
 */
const CLOSE_TIMEOUT_MS = 5000;
const SESSION_CLOSE_TIMEOUT_MS = 1000;
const SLOW_CLOSE_TIMEOUT_MS = 15_000;
const CLOSE_TIMEOUTS_MS: Partial<Record<CloseReason, number>> = {
  session: SESSION_CLOSE_TIMEOUT_MS,
  slow: SLOW_CLOSE_TIMEOUT_MS,
};

/** The services that a socket needs from its server. */
export interface SocketHost {
  readonly requestId: string;
  /** The time in ms for a slow reader to take what waits for it. */
  readonly drainTimeoutMs: number;
  /** Returns the current rights of the caller; null when the session has ended. */
  findPrincipal(): Promise<Principal | null>;
  /** @throws AppError `VALIDATION_ERROR` for a position that no event can have yet */
  assertReached(after: string): Promise<void>;
  /** Records that the caller asked for what the caller may not have. */
  recordDenial(): Promise<void>;
  /** Counts delivered events. */
  sent(events: number): void;
  /** Counts the end, once. */
  ending(reason: CloseReason): void;
}

/** A WebSocket of one user: sends events, and answers the messages of the client in order. */
export class EventSocket implements WatchedCaller {
  /** The reason of an end that the service does not decide. */
  private closeReason: CloseReason = 'client';
  private isClosing = false;
  private isAlive = true;
  private messagesLeft = MESSAGE_BURST;
  private countedAt = performance.now();
  private handling: Promise<void> = Promise.resolve();

  constructor(
    private readonly socket: WebSocket,
    private readonly reader: EventReader,
    private readonly host: SocketHost,
  ) {
    socket.on('message', (data, isBinary) => this.onMessage(data, isBinary));
    socket.on('ping', () => this.isWithinRate());
    socket.on('pong', () => {
      this.isAlive = true;
    });
    // The library closes a socket that breaks the protocol (1002, 1007) or sends too much at once (1009).
    socket.on('error', () => {
      this.closeReason = 'policy';
    });
    socket.once('close', () => this.end(this.closeReason));
  }

  /** Sends events until the socket closes. */
  async run(): Promise<void> {
    try {
      await this.reader.start();
      while (!this.isClosing) await this.deliver(await this.reader.next(null));
    } catch (error) {
      new Logger(EventSocket.name).warn(toAppError(error).cause ?? error, 'a socket could not be served');
      this.close(closeCodes.tryAgain, 'error', 'Connect again later');
    }
  }

  /** Sends a ping, or ends the connection if the last one was not answered. */
  beat(): void {
    if (this.isClosing) return;
    if (!this.isAlive) {
      this.closeReason = 'dead';
      this.socket.terminate();
      return;
    }
    this.isAlive = false;
    this.socket.ping();
  }

  /** Closes the socket, and ends the connection of a client that does not answer. */
  close(code: number, reason: CloseReason, text: string): void {
    if (this.isClosing) return;
    this.end(reason);
    this.socket.close(code, text);
    const timeoutMs = CLOSE_TIMEOUTS_MS[reason] ?? CLOSE_TIMEOUT_MS;
    setTimeout(() => this.socket.terminate(), timeoutMs).unref();
  }

  terminate(): void {
    this.socket.terminate();
  }

  onChange({ permissions }: Principal): void {
    if (this.reader.choice.all && !permissions.has('events:read'))
      this.close(closeCodes.sessionEnded, 'session', 'The permission to read all events has ended');
  }

  onEnd(): void {
    this.close(closeCodes.sessionEnded, 'session', 'The session or the access token has ended');
  }

  private end(reason: CloseReason): void {
    if (this.isClosing) return;
    this.isClosing = true;
    this.reader.stop();
    this.host.ending(reason);
  }

  private async deliver(events: readonly LiveEvent[]): Promise<void> {
    if (this.isClosing) return;
    if (this.reader.hasLagged) return this.closeSlow();
    const last = events.at(-1);
    if (!last) return;
    for (const event of events) if (event !== last) this.socket.send(event.message, { binary: false });
    this.host.sent(events.length);
    const isTaken = new Promise<void>((resolve) =>
      this.socket.send(last.message, { binary: false }, () => resolve()),
    );
    if (this.socket.bufferedAmount <= MAX_BUFFERED_BYTES) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.host.drainTimeoutMs)));
    await Promise.race([isTaken, late]);
    clearTimeout(timer);
    if (this.socket.bufferedAmount > MAX_BUFFERED_BYTES) this.closeSlow();
  }

  private closeSlow(): void {
    this.close(closeCodes.slow, 'slow', 'The reader is too slow: resume after the last position');
  }

  private onMessage(data: RawData, isBinary: boolean): void {
    if (this.isClosing || !this.isWithinRate()) return;
    if (isBinary) return this.close(closeCodes.text, 'policy', 'Send text messages');
    // With the binary type of this socket each message is one buffer.
    const bytes = data as Buffer;
    // In order, so that a position is set after the subscription that was sent before it.
    this.handling = this.handling.then(() => this.answer(bytes));
  }

  private async answer(bytes: Buffer): Promise<void> {
    if (this.isClosing) return;
    try {
      await this.handle(parseClientMessage(bytes));
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.denied) await this.host.recordDenial().catch(() => {});
      const { error: facts } = errorEnvelope(error, this.host.requestId);
      this.reply({ type: 'error', error: facts });
    }
  }

  private async handle(message: ClientMessage): Promise<void> {
    const { reader } = this;
    if (message.type === 'ping') this.reply({ type: 'pong', position: reader.cursor });
    else if (message.type === 'resume') await this.resume(message.after);
    else {
      const principal = await this.host.findPrincipal();
      if (!principal?.permissions.has('events:read')) throw new AppError('FORBIDDEN');
      if (!this.isClosing) reader.change({ choice: { ...reader.choice, all: { types: message.types } } });
    }
  }

  /**
   * Moves at once, because events that are sent during the check would come again afterwards. Moves back if the position is
   * refused.
   */
  private async resume(after: string): Promise<void> {
    const { cursor: before } = this.reader;
    this.reader.change({ place: after });
    try {
      await this.host.assertReached(after);
    } catch (error) {
      this.reader.change({ place: before });
      throw error;
    }
  }

  private reply(message: object): void {
    if (this.isClosing) return;
    if (this.socket.bufferedAmount > MAX_BUFFERED_BYTES) return this.closeSlow();
    this.socket.send(JSON.stringify(message));
  }

  /** Counts a message or a ping. Closes the socket of a client that sends too many. */
  private isWithinRate(): boolean {
    const now = performance.now();
    const earned = ((now - this.countedAt) / 1000) * MESSAGES_PER_SECOND;
    this.messagesLeft = Math.min(MESSAGE_BURST, this.messagesLeft + earned) - 1;
    this.countedAt = now;
    if (this.messagesLeft >= 0) return true;
    this.close(closeCodes.policy, 'policy', 'Too many messages');
    return false;
  }
}
