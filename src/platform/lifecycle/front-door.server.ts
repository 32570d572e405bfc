import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config } from '../../config/config.js';
import { ConnectionTracker } from './connection.tracker.js';

/** Longer than the idle timeout of common load balancers (60 s), so that the balancer closes first. */
const KEEP_ALIVE_MS = 65_000;

/**
 * The single HTTP server of the process. It can listen and answer probes before the application exists. The
 * application then takes over the same server, so that no connection is lost.
 */
export class FrontDoor {
  readonly server: Server;
  readonly connections: ConnectionTracker;
  private opening: Promise<number> | null = null;

  /** Passes requests to `listener` until an application takes over. */
  constructor(
    private readonly config: Pick<Config, 'HOST' | 'PORT'>,
    private listener: RequestListener,
  ) {
    this.server = createServer((request, response) => this.listener(request, response));
    this.server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.connections = new ConnectionTracker(this.server);
  }

  /**
   * Starts listening. A later call joins the first.
   * @returns the port
   */
  open(): Promise<number> {
    this.opening ??= new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(describeListenError(error, this.config.HOST));
      this.server.once('error', fail);
      this.server.listen(this.config.PORT, this.config.HOST, () => {
        this.server.off('error', fail);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
    return this.opening;
  }

  /** Passes all requests to the application from now on. */
  admitTo(application: RequestListener): void {
    this.listener = application;
  }
}

/** Names the HOST setting in the error of an unknown host name. Other errors are clear from their code. */
function describeListenError(error: Error, host: string): Error {
  const isName = 'syscall' in error && error.syscall === 'getaddrinfo';
  return isName ? new Error(`HOST ${host} cannot be resolved: ${error.message}`, { cause: error }) : error;
}
