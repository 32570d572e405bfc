import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Another system on this machine, as a test wants it to behave. */
export class StubUpstream {
  /** The requests seen, as `<method> <path>`. */
  readonly seen: string[] = [];
  /** The number of requests in progress at most. */
  mostAtOnce = 0;
  private server: Server | undefined;
  private inProgress = 0;
  private port = 0;

  private constructor(public answer: RequestListener) {}

  static async start(answer: RequestListener): Promise<StubUpstream> {
    const upstream = new StubUpstream(answer);
    await upstream.start();
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Listens, after a stop on the same port as before. */
  async start(): Promise<void> {
    this.server = createServer((request, response) => {
      this.seen.push(`${request.method} ${request.url}`);
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.inProgress);
      response.once('close', () => this.inProgress--);
      // Clients hang up; that is what some tests are about.
      response.on('error', () => undefined);
      this.answer(request, response);
    }).listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Cuts all connections and refuses new ones. */
  async stop(): Promise<void> {
    const { server } = this;
    if (!server?.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }
}
