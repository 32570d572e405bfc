// A connection that sends raw requests, for loads that wrk cannot send: an exact number of requests, or a fixed rate.

import { connect } from 'node:net';

/** Sends one raw request at a time and reads the status and the length of its answer. */
export class Connection {
  #socket;
  #received = '';
  #sentAt = 0;
  #closed = false;

  /**
   * @param {{ port: number, answered: (connection: Connection, status: string, ms: number) => void, lost: () => void }} options
   *   `answered` may send the next request; `lost` is called when the other side closes the connection
   */
  constructor({ port, answered, lost }) {
    this.answered = answered;
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      if (!this.#closed) lost();
    });
  }

  /** Opens a connection and waits for it. */
  static async open(options) {
    const connection = new Connection(options);
    await new Promise((resolve, reject) => {
      connection.#socket.once('connect', resolve).once('error', reject);
    });
    return connection;
  }

  /** @param {string} request a whole request, with its head and its end */
  send(request) {
    this.#sentAt = performance.now();
    this.#socket.write(request);
  }

  close() {
    this.#closed = true;
    this.#socket.destroy();
  }

  get closed() {
    return this.#closed;
  }

  #read(chunk) {
    this.#received += chunk.toString('latin1');
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/^content-length: *(\d+)/im.exec(this.#received.slice(0, end))?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const status = this.#received.slice(9, 12);
    this.#received = this.#received.slice(end + 4 + length);
    this.answered(this, status, performance.now() - this.#sentAt);
  }
}

/** The share of requests that may be refused. A refusal costs little, but more of them would distort the count. */
const MAX_REFUSED = 0.05;
const AGAIN_AFTER_MS = 100;

/** Formats a raw GET request. */
export function rawRequest({ path, token }) {
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  return `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}\r\n`;
}

/**
 * Sends exactly `count` requests and waits for all answers.
 * @param {string} url
 * @param {{ requests: readonly import('./load.mjs').Request[], connections: number, count: number }} load
 * @throws an error if one is not answered with 200. Repeats those that the service refuses while the machine is busy
 */
export async function sendCount(url, { requests, connections, count }) {
  const raw = requests.map(rawRequest);
  const open = [];
  let sent = 0;
  let received = 0;
  let refused = 0;
  const waiting = new Map();
  const { promise, resolve, reject } = Promise.withResolvers();
  const next = (connection) => {
    if (sent >= count) return;
    waiting.set(connection, raw[sent++ % raw.length]);
    connection.send(waiting.get(connection));
  };
  const again = (connection) => {
    if (!connection.closed) connection.send(waiting.get(connection));
  };
  const answered = (connection, status) => {
    if (status === '503' && refused++ < count * MAX_REFUSED) {
      setTimeout(again, AGAIN_AFTER_MS, connection);
      return undefined;
    }
    if (status !== '200') return reject(new Error(`${url} answered ${status}`));
    received += 1;
    return received === count ? resolve() : next(connection);
  };
  const lost = () => reject(new Error(`${url} closed a connection`));
  try {
    for (let i = 0; i < connections; i++) {
      open.push(await Connection.open({ port: Number(new URL(url).port), answered, lost }));
    }
    for (const connection of open) next(connection);
    await promise;
  } finally {
    for (const connection of open) connection.close();
  }
}
