// Shared code of the benchmarks: the built service as a separate process, and statistics of measurements.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { NODE_FLAGS } from '../scripts/node-flags.mjs';

const ENTRY = join(import.meta.dirname, '../dist/src/main.js');
const START_TIMEOUT_MS = 60_000;
const ADMIN = { email: 'admin@gatehouse.local', password: 'only for the benchmarks 7' };

/** Settings without rate limits, which would otherwise answer before the list does. */
const ENVIRONMENT = {
  PATH: process.env.PATH,
  PORT: '0',
  LOG_LEVEL: 'warn',
  ADMIN_PASSWORD: ADMIN.password,
  ACCESS_TOKEN_TTL_SECONDS: '86400',
  RATE_LIMIT_ANONYMOUS: '0',
  RATE_LIMIT_AUTHENTICATED: '0',
  RATE_LIMIT_PREMIUM: '0',
  RATE_LIMIT_SIGN_IN: '0',
};

/** Starts the service and waits until it prints its address. */
export async function startService(environment) {
  const started = performance.now();
  const child = spawn(process.execPath, [...NODE_FLAGS, ENTRY], {
    env: { ...ENVIRONMENT, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await addressOf(child);
  const startMs = performance.now() - started;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const exited = once(child, 'exit');
  const service = {
    url,
    startMs,
    pid: child.pid,
    send: (method, path, options) => send(agent, method, new URL(path, url), options),
    async stop() {
      agent.destroy();
      child.kill('SIGINT');
      await exited;
    },
  };
  return service;
}

export async function signIn(service) {
  const { status, body } = await service.send('POST', '/api/auth/login', { body: JSON.stringify(ADMIN) });
  if (status !== 200) throw new Error(`sign-in answered ${status}: ${body}`);
  return JSON.parse(body).access_token;
}

function addressOf(child) {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(
      () => reject(new Error(`not ready after ${START_TIMEOUT_MS} ms: ${said}`)),
      START_TIMEOUT_MS,
    );
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}: ${said}`)));
    child.stdout.on('data', (chunk) => {
      said += chunk;
      const address = /^ +API +(http:\/\/\S+)\/api$/m.exec(said)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address.replace('localhost', '127.0.0.1'));
    });
  });
}

function send(agent, method, url, { token, body } = {}) {
  const headers = {
    ...(token && { authorization: `Bearer ${token}` }),
    ...(body && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const outgoing = request(url, { agent, method, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      answer.once('error', reject).once('end', () => {
        resolve({
          status: answer.statusCode,
          headers: answer.headers,
          body: text,
          ms: performance.now() - started,
        });
      });
    });
    outgoing.once('error', reject).end(body);
  });
}

export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const median = (values) => quantile(values, 0.5);

/** Formats rows of cells as an aligned Markdown table. */
export function table([head, ...rows]) {
  const all = [head, ...rows].map((cells) => cells.map(String));
  const widths = head.map((_, column) => Math.max(...all.map((cells) => cells[column].length)));
  const line = (cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(all[0]), rule, ...all.slice(1).map(line)].join('\n');
}
