// The built service as a measured process.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from './client.mjs';
import { MeasuredProcess } from './processes.mjs';

const ENTRY = join(import.meta.dirname, '../../dist/src/main.js');
const ANNOUNCEMENT = /^ +API +(http:\/\/\S+)\/api$/m;
const ADMIN = { email: 'admin@gatehouse.local', password: 'only for the benchmarks 7' };

/**
 * Settings with everything switched on: all logs, and rate limits that count every request but are too high to refuse
 * one. The harness acts as a proxy, so that callers can have addresses of their own.
 */
const ENVIRONMENT = {
  PORT: '0',
  ADMIN_PASSWORD: ADMIN.password,
  ACCESS_TOKEN_TTL_SECONDS: '86400',
  TRUSTED_PROXIES: '127.0.0.1',
  RATE_LIMIT_ANONYMOUS: '1000000',
  RATE_LIMIT_AUTHENTICATED: '1000000',
  RATE_LIMIT_PREMIUM: '1000000',
  RATE_LIMIT_SIGN_IN: '1000000',
};

/** Rate limits off, for loads that would exceed even the highest limit. */
export const UNLIMITED = {
  RATE_LIMIT_ANONYMOUS: '0',
  RATE_LIMIT_AUTHENTICATED: '0',
  RATE_LIMIT_PREMIUM: '0',
  RATE_LIMIT_SIGN_IN: '0',
};

/**
 * Starts the service and waits until it prints its address.
 * @param {Readonly<Record<string, string>>} environment the database, and changes to the settings
 * @param {{ entry?: string, flags?: readonly string[] }} [build] the `main.js` of another build and its flags of Node.js
 */
export async function startService(environment, { entry = ENTRY, flags } = {}) {
  const options = { environment: { ...ENVIRONMENT, ...environment }, announcement: ANNOUNCEMENT, flags };
  const process = await MeasuredProcess.start(entry, options);
  return new Service(process);
}

/** Returns the entry and the Node.js flags of another checkout with its own dist and node_modules. */
export async function buildOf(folder) {
  const flags = pathToFileURL(join(resolve(folder), 'scripts/node-flags.mjs')).href;
  const entry = join(resolve(folder), 'dist/src/main.js');
  if (!existsSync(entry)) throw new Error(`--before: there is no ${entry}`);
  return { entry, flags: (await import(flags)).NODE_FLAGS };
}

/** A running service. */
export class Service {
  /** @param {MeasuredProcess} process */
  constructor(process) {
    this.process = process;
    this.client = new Client(process.url);
  }

  get url() {
    return this.process.url;
  }

  get pid() {
    return this.process.pid;
  }

  /** Sends one request at a time, over one connection. */
  send(method, path, options) {
    return this.client.send(method, path, options);
  }

  /** Signs the first administrator in and returns the access token. */
  async signInAdmin() {
    return (await this.signIn(ADMIN)).access_token;
  }

  /**
   * @param {{ email: string, password: string }} credentials
   * @returns {Promise<{ access_token: string, refresh_token: string }>}
   */
  async signIn({ email, password }) {
    const body = JSON.stringify({ email, password });
    return JSON.parse((await this.client.expect(200, 'POST', '/api/auth/login', { body })).body);
  }

  async stop() {
    this.client.close();
    await this.process.stop();
  }
}
