import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

const PAGE = `<!doctype html><meta charset="utf-8"><title>Tour</title>
<script type="importmap">{ "imports": { "@gatehouse/client": "/node_modules/@gatehouse/client/dist/index.js" } }</script>`;

/** An origin of its own: serves a page, the modules of a folder, and an address at which a page asks for something. */
export class TourServer {
  /** The folder of the modules. */
  folder = '';
  /** Runs at `POST /cut`. */
  onCut: () => Promise<void> = async () => {};

  private constructor(
    private readonly server: Server,
    readonly origin: string,
  ) {}

  static async start(): Promise<TourServer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const started = new TourServer(server, `http://127.0.0.1:${port}`);
    server.on('request', ({ method, url = '/' }, response) => {
      if (method === 'POST') return void started.onCut().then(() => response.writeHead(204).end());
      if (url === '/') return response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
      return void readFile(join(started.folder, normalize(url))).then(
        (text) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(text),
        () => response.writeHead(404).end(),
      );
    });
    return started;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}
