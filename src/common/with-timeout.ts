/**
 * Waits at most `timeoutMs` for `work`, which continues after a timeout.
 *
 * A result that arrived in time counts even if this process was too busy to read it. Node.js counts a timer from
 * the start of the event-loop turn that set it, so the timer fires too early after a long turn. It also runs timers
 * before it reads sockets. Hence the timeout applies only once its full time has passed and the sockets were read.
 * @throws the error that `timeoutError` returns
 */
export function withTimeout<T>(work: Promise<T>, timeoutMs: number, timeoutError: () => Error): Promise<T> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout;
    const wait = (delayMs: number): void => {
      timer = setTimeout(() => {
        const leftMs = startedAt + timeoutMs - performance.now();
        if (leftMs > 0) wait(leftMs);
        else setImmediate(() => reject(timeoutError()));
      }, delayMs);
    };
    wait(timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
