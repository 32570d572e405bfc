// Work that several lanes repeat at once, each one when its last piece is done.

/**
 * Repeats the work in every lane until the time is over.
 * @param {{ lanes: number, ms: number }} options
 * @param {(lane: number) => Promise<unknown>} work
 * @returns {Promise<number>} how often the work was completed in a second
 */
export async function ratePerSecond({ lanes, ms }, work) {
  const started = performance.now();
  let done = 0;
  const lane = async (number) => {
    while (performance.now() - started < ms) {
      await work(number);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return (done * 1000) / (performance.now() - started);
}

/**
 * Repeats the work that many times in all, in all lanes at once.
 * @param {{ lanes: number, times: number }} options
 * @param {(lane: number) => Promise<unknown>} work
 */
export async function repeat({ lanes, times }, work) {
  let begun = 0;
  const lane = async (number) => {
    while (begun < times) {
      begun += 1;
      await work(number);
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
}

/**
 * Repeats a measured step until it is stopped.
 * @param {() => Promise<number>} step returns its duration in milliseconds
 * @param {number} [pauseMs] between two steps
 */
export function repeatUntilStopped(step, pauseMs = 0) {
  const end = new AbortController();
  /** @type {number[]} */
  const times = [];
  const done = (async () => {
    while (!end.signal.aborted) {
      times.push(await step());
      if (pauseMs > 0) await pause(pauseMs);
    }
  })();
  // The error surfaces in stop().
  done.catch(() => {});
  return {
    /** Waits for the step in progress and returns the durations of all. */
    async stop() {
      end.abort();
      await done;
      return times;
    },
  };
}

/** @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns the duration of the work in seconds. */
export async function secondsOf(work) {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}
