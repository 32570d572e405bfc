import { isatty } from 'node:tty';

/**
 * One Ctrl-C under npm arrives twice: from the terminal, which signals the whole process group, and from npm,
 * which forwards it. A person presses twice only at a longer interval than this.
 */
const KEYSTROKE_WINDOW_MS = 250;

/**
 * Handles the signals of this process from start to end. Without a listener Node would end the process at
 * once, and the embedded database, which has its own process group, would keep running.
 *
 * - SIGTERM stops the service in order. Supervisors that signal a whole process group (npm, systemd, `tini
 *   -g`) deliver it twice, so a repeated one changes nothing.
 * - SIGINT and SIGQUIT stop it without the grace period; a second one also cuts open requests.
 * - SIGHUP is ignored, unless it comes from a closed terminal, because then no person can stop the service.
 * - SIGUSR2 is ignored. SIGUSR1 would open Node's inspector, which runs any code, so it is ignored in
 *   production.
 */
export class ProcessSignals {
  private readonly stopping = new AbortController();
  private readonly hurrying = new AbortController();
  private readonly forcing = new AbortController();
  private interruptedAt: number | null = null;

  constructor({ production }: { readonly production: boolean }) {
    // The entry point's listeners are removed only after their successors listen, so that no signal is
    // missed.
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

  /** Aborts when a person has waited long enough: open requests are cut. */
  get force(): AbortSignal {
    return this.forcing.signal;
  }

  private interrupt(): void {
    const now = performance.now();
    this.interruptedAt ??= now;
    if (now - this.interruptedAt > KEYSTROKE_WINDOW_MS) this.forcing.abort();
    this.hurrying.abort();
    this.stopping.abort();
  }
}
