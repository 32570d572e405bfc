import { type IncomingMessage, Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

interface Activity {
  /** Responses in progress. */
  readonly answers: Set<ServerResponse>;
  lastAt: number;
}

/** The duration of a drain, and what it may close. */
export interface DrainOptions {
  /** The longest silence of a connection, in milliseconds. */
  readonly idleMs: number;
  /** Aborts when a person waits; silent connections are then closed at once. */
  readonly hurry: AbortSignal;
  /** The end of the drain, as a time of `Date.now()`. */
  readonly until: number;
  /** Ends the drain at once. */
  readonly force: AbortSignal;
}

/** The interval at which the drain checks whether it is done, in milliseconds. */
const CHECK_INTERVAL_MS = 20;
/** The time that a reader has to take the end of a response when a person waits. */
const CLOSE_TIMEOUT_MS = 1000;

/**
 * Tracks a server's connections, so that a stop can wait for them without cutting one off. A client with a
 * keep-alive connection may be sending its next request just when an idle connection is closed.
 */
export class ConnectionTracker {
  private readonly sockets = new Map<Socket, Activity>();

  constructor(private readonly server: Server) {
    server.on('connection', (socket: Socket) => {
      this.sockets.set(socket, { answers: new Set(), lastAt: Date.now() });
      socket.once('close', () => this.sockets.delete(socket));
    });
    // Must run before any other listener, which may answer at once.
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      const activity = this.sockets.get(request.socket);
      if (!activity) return;
      activity.answers.add(response);
      response.once('close', () => {
        activity.answers.delete(response);
        activity.lastAt = Date.now();
      });
    });
  }

  /** Adds `Connection: close` to responses in progress, which began as keep-alive responses. */
  announceClose(): void {
    for (const { answers } of this.sockets.values()) {
      for (const answer of answers) if (!answer.headersSent) answer.setHeader('Connection', 'close');
    }
  }

  /** Stops accepting connections. `http.Server.close` would also cut off idle ones. */
  stopListening(): void {
    NetServer.prototype.close.call(this.server);
  }

  /**
   * Resolves when every connection has ended. A connection ends when the client closes it, after a response
   * with `Connection: close`, or here after a silence counted from this call at the earliest. Gives up when
   * `patience` ends.
   * @returns the number of requests that were cut off
   */
  async drained({ idleMs, hurry, until, force }: DrainOptions): Promise<number> {
    const began = Date.now();
    let hurriedAt: number | null = null;
    while (this.sockets.size > 0 && Date.now() < until && !force.aborted) {
      const bound = hurry.aborted ? 0 : idleMs;
      await this.closeSilent((lastAt) => Math.max(lastAt, began) + bound <= Date.now());
      if (hurry.aborted) hurriedAt ??= Date.now();
      if (hurriedAt !== null && Date.now() - hurriedAt > CLOSE_TIMEOUT_MS) this.closeAnswered();
      await sleep(CHECK_INTERVAL_MS);
    }
    const answers = [...this.sockets.values()].flatMap((activity) => [...activity.answers]);
    for (const socket of this.sockets.keys()) socket.destroy();
    return answers.filter((answer) => !answer.writableEnded).length;
  }

  /**
   * Closes silent connections. A request may have arrived but not been read, so the drain waits one event
   * loop turn. A connection on which that turn reads data stays open.
   */
  private async closeSilent(isLongAgo: (lastAt: number) => boolean): Promise<void> {
    const isSilent = ({ answers, lastAt }: Activity) => answers.size === 0 && isLongAgo(lastAt);
    const silent = [...this.sockets]
      .filter(([, activity]) => isSilent(activity))
      .map(([socket, activity]) => ({ socket, activity, read: socket.bytesRead }));
    if (silent.length === 0) return;
    await nextTurn();
    for (const { socket, activity, read } of silent) {
      if (isSilent(activity) && socket.bytesRead === read) socket.destroy();
    }
  }

  /** Closes connections whose responses are complete on our side but not taken by their reader. */
  private closeAnswered(): void {
    for (const [socket, { answers }] of this.sockets) {
      if ([...answers].every((answer) => answer.writableEnded)) socket.destroy();
    }
  }
}
