import { isatty } from 'node:tty';

/**
 * One Ctrl-C under npm arrives twice: from the terminal, which signals the whole process group, and from npm,
 * which passes it on. Two presses of a person are further apart than this.
 */
const ONE_KEYSTROKE_MS = 250;

/**
 * The signals of this process, from its first line to its last. Without a listener Node ends the process at
 * once, and the embedded database, which has a process group of its own, would run on.
 *
 * - SIGTERM stops the service in order. Supervisors that signal a whole process group (npm, systemd, `tini -g`)
 *   deliver it twice, so a repeated one changes nothing.
 * - SIGINT and SIGQUIT stop it without the grace period; a second one also cuts what is still open.
 * - SIGHUP is ignored, unless it comes from a terminal that was closed: nobody is left to stop the service then.
 * - SIGUSR2 is ignored. SIGUSR1 would open Node's inspector, which runs any code: never in production.
 */
export class ProcessSignals {
  private readonly stopping = new AbortController();
  private readonly hurrying = new AbortController();
  private readonly forcing = new AbortController();
  private interruptedAt: number | null = null;

  constructor({ production }: { readonly production: boolean }) {
    // What the entry listens with until now. It goes once its successor listens: in between nobody would.
    const early = process.listeners('SIGHUP');
    process.on('SIGTERM', () => this.stopping.abort());
    process.on('SIGINT', () => this.interrupt());
    process.on('SIGQUIT', () => this.interrupt());
    process.on('SIGHUP', () => {
      if (isatty(0)) this.interrupt();
    });
    process.on('SIGUSR2', () => {});
    for (const listener of early) process.off('SIGHUP', listener);
    if (production) process.on('SIGUSR1', () => {});
  }

  /** Aborts when the process is asked to stop. */
  get stop(): AbortSignal {
    return this.stopping.signal;
  }

  /** Aborts when a person waits for the stop: no grace period. */
  get hurry(): AbortSignal {
    return this.hurrying.signal;
  }

  /** Aborts when a person has waited long enough: what is still open is cut. */
  get force(): AbortSignal {
    return this.forcing.signal;
  }

  private interrupt(): void {
    const now = performance.now();
    this.interruptedAt ??= now;
    if (now - this.interruptedAt > ONE_KEYSTROKE_MS) this.forcing.abort();
    this.hurrying.abort();
    this.stopping.abort();
  }
}
