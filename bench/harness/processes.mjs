// The processes that are measured: the service and its peers, each started alike.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ALLOCATOR_SETTINGS, NODE_FLAGS } from '../../scripts/node-flags.mjs';

const PRELOAD = pathToFileURL(join(import.meta.dirname, 'usage.mjs')).href;
const QUESTION = 'bench:usage';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 40_000;
const LOOK_EVERY_MS = 5;

/**
 * The resources that a process has used since its start.
 * @typedef {{ cpuMicros: number, allocatedBytes: number, rssBytes: number, maxRssBytes: number }} Usage
 */

/** Every running process, so that none outlives the harness. */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * A measured process. Its output goes to a file, as a container's does, so that reading it costs the harness nothing.
 */
export class MeasuredProcess {
  #child;
  #folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-output-'));
  #output = join(this.#folder, 'output');
  #exited;
  /** The address of the process, without a slash at the end. */
  url = '';
  /** The time from the start of the process to its announcement, in milliseconds. */
  startMs = 0;

  /**
   * Starts a module and waits until it announces its address.
   * @param {string} entry the path of the module
   * @param {{ environment: Readonly<Record<string, string | undefined>>, announcement: RegExp, flags?: readonly string[] }} options
   *   `announcement` captures the address in the output
   */
  static async start(entry, { environment, announcement, flags = NODE_FLAGS }) {
    const started = performance.now();
    const process = new MeasuredProcess(entry, environment, flags);
    try {
      process.url = await process.#announced(announcement);
    } catch (error) {
      await process.stop();
      throw error;
    }
    process.startMs = performance.now() - started;
    return process;
  }

  /** Use {@link start}. */
  constructor(entry, environment, flags) {
    const output = openSync(this.#output, 'a');
    this.#child = spawn(process.execPath, [...flags, '--import', PRELOAD, entry], {
      env: { PATH: process.env.PATH, ...ALLOCATOR_SETTINGS, ...environment },
      stdio: ['ignore', output, 'inherit', 'ipc'],
    });
    closeSync(output);
    running.add(this.#child);
    this.#exited = once(this.#child, 'exit').finally(() => running.delete(this.#child));
  }

  get pid() {
    return this.#child.pid;
  }

  async #announced(announcement) {
    const end = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      const said = readFileSync(this.#output, 'utf8');
      const address = announcement.exec(said)?.[1];
      if (address !== undefined) return address.replace('localhost', '127.0.0.1');
      if (this.#child.exitCode !== null)
        throw new Error(`a process ended with ${this.#child.exitCode}: ${said}`);
      if (performance.now() > end) throw new Error(`a process was not ready in time: ${said}`);
      await pause(LOOK_EVERY_MS);
    }
  }

  /** @returns {Promise<Usage>} */
  async usage() {
    const answer = once(this.#child, 'message');
    this.#child.send(QUESTION);
    const [message] = await answer;
    return message[QUESTION];
  }

  /** Empties the output, so that the lines of millions of requests do not fill the disk. */
  dropOutput() {
    truncateSync(this.#output);
  }

  /** Stops the process as a terminal does. Ends it if that takes more than 40 s. */
  async stop() {
    if (running.has(this.#child)) {
      this.#child.kill('SIGINT');
      const timeout = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await this.#exited;
      clearTimeout(timeout);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
