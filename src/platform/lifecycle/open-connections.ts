import { type IncomingMessage, Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';

interface Activity {
  /** Answers that are under way. */
  readonly answers: Set<ServerResponse>;
  lastAt: number;
}

/** How often the drain looks whether it is done, in milliseconds. */
const LOOK_EVERY_MS = 20;

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
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const activity = this.sockets.get(request.socket);
      if (!activity) return;
      activity.answers.add(response);
      response.once('close', () => {
        activity.answers.delete(response);
        activity.lastAt = Date.now();
      });
    });
  }

  /** Answers that are under way were begun as ones that keep their connection: they say otherwise now. */
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
   * Resolves when every connection has ended: by itself, after an answer that said
   * `Connection: close`, or here, after `silentMs` without a request. Gives up at `until`.
   * @returns how many requests had to be cut off
   */
  async drained(silentMs: number, until: number): Promise<number> {
    while (this.sockets.size > 0 && Date.now() < until) {
      const silentSince = Date.now() - silentMs;
      for (const [socket, { answers, lastAt }] of this.sockets) {
        if (answers.size === 0 && lastAt <= silentSince) socket.destroy();
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    const cut = [...this.sockets.values()].reduce((sum, { answers }) => sum + answers.size, 0);
    for (const socket of this.sockets.keys()) socket.destroy();
    return cut;
  }
}
