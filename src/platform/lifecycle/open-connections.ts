import { type IncomingMessage, Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

interface Activity {
  /** Answers that are under way. */
  readonly answers: Set<ServerResponse>;
  lastAt: number;
}

/** How long a drain goes on, and what it may close. */
export interface Patience {
  /** The bound on a connection's silence, in milliseconds. */
  readonly idleMs: number;
  /** Aborts when a person waits: silent connections are closed at once. */
  readonly hurry: AbortSignal;
  /** The end of the drain, as a time of `Date.now()`. */
  readonly until: number;
  /** Ends the drain at once. */
  readonly force: AbortSignal;
}

/** How often the drain looks whether it is done, in milliseconds. */
const LOOK_EVERY_MS = 20;
/** When a person waits, a reader has this long to take the end of an answer. */
const LAST_WORD_MS = 1000;

/**
 * The connections of a server, so that a stop can wait for them without cutting one off: a client
 * that keeps a connection may be sending its next request just when an idle one is closed.
 */
export class OpenConnections {
  private readonly sockets = new Map<Socket, Activity>();

  constructor(private readonly server: Server) {
    server.on('connection', (socket: Socket) => {
      this.sockets.set(socket, { answers: new Set(), lastAt: Date.now() });
      socket.once('close', () => this.sockets.delete(socket));
    });
    // Before any other listener: it may answer at once.
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

  /** Adds `Connection: close` to the answers under way, which began as ones that keep their connection. */
  announceClose(): void {
    for (const { answers } of this.sockets.values()) {
      for (const answer of answers) if (!answer.headersSent) answer.setHeader('Connection', 'close');
    }
  }

  /** Accepts no further connection. `http.Server.close` would also cut the idle ones off. */
  stopListening(): void {
    NetServer.prototype.close.call(this.server);
  }

  /**
   * Resolves when every connection has ended: by itself, after an answer that said `Connection: close`, or
   * here, after a silence that is counted from this call on at the earliest. Gives up when patience ends.
   * @returns how many requests had to be cut off
   */
  async drained({ idleMs, hurry, until, force }: Patience): Promise<number> {
    const began = Date.now();
    let hurriedAt: number | null = null;
    while (this.sockets.size > 0 && Date.now() < until && !force.aborted) {
      const bound = hurry.aborted ? 0 : idleMs;
      await this.closeSilent((lastAt) => Math.max(lastAt, began) + bound <= Date.now());
      if (hurry.aborted) hurriedAt ??= Date.now();
      if (hurriedAt !== null && Date.now() - hurriedAt > LAST_WORD_MS) this.closeAnswered();
      await sleep(LOOK_EVERY_MS);
    }
    const answers = [...this.sockets.values()].flatMap((activity) => [...activity.answers]);
    for (const socket of this.sockets.keys()) socket.destroy();
    return answers.filter((answer) => !answer.writableEnded).length;
  }

  /**
   * A request that has already arrived may wait to be read: the next turn of the event loop reads it, and its
   * connection stays.
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

  /** Closes connections whose answers are complete on our side and not taken by their reader. */
  private closeAnswered(): void {
    for (const [socket, { answers }] of this.sockets) {
      if ([...answers].every((answer) => answer.writableEnded)) socket.destroy();
    }
  }
}
