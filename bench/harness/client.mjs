// Single requests, for benchmarks that look at one answer at a time.

import { Agent, request } from 'node:http';
import { pause } from './lanes.mjs';

/** The repetitions of a request that a busy machine refuses. Each waits as `Retry-After` says. */
const MAX_REFUSALS = 10;

/**
 * @typedef {{ status: number, headers: import('node:http').IncomingHttpHeaders, body: string, ms: number }} Answer
 * @typedef {{ token?: string, body?: string, headers?: Readonly<Record<string, string>> }} Options
 */

/** Sends requests to one address over kept-alive connections. */
export class Client {
  #agent;
  #url;

  /**
   * @param {string} url
   * @param {{ maxSockets?: number }} [options] by default one request at a time
   */
  constructor(url, { maxSockets = 1 } = {}) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Options} [options]
   * @returns {Promise<Answer>}
   */
  send(method, path, { token, body, headers } = {}) {
    const all = {
      ...headers,
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    };
    return new Promise((resolve, reject) => {
      const started = performance.now();
      const outgoing = request(
        new URL(path, this.#url),
        { agent: this.#agent, method, headers: all },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (chunk) => (text += chunk));
          answer.once('error', reject).once('end', () => {
            const { statusCode: status = 0, headers: received } = answer;
            resolve({ status, headers: received, body: text, ms: performance.now() - started });
          });
        },
      );
      outgoing.once('error', reject).end(body);
    });
  }

  /**
   * Sends a request that must succeed. One that is refused for overload is sent again after the time that the
   * answer names, so that a busy machine slows a benchmark down and does not break it.
   * @returns {Promise<Answer>}
   */
  async expect(status, method, path, options) {
    let answer = await this.send(method, path, options);
    for (let refusals = 0; answer.status === 503 && refusals < MAX_REFUSALS; refusals++) {
      await pause(Number(answer.headers['retry-after'] ?? 1) * 1000);
      answer = await this.send(method, path, options);
    }
    if (answer.status !== status)
      throw new Error(`${method} ${path} answered ${answer.status}: ${answer.body}`);
    return answer;
  }

  close() {
    this.#agent.destroy();
  }
}
