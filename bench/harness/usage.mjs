// Preloaded into every measured process (`--import`): reports what the process has used so far when it is asked
// over its IPC channel. Costs nothing between the questions.
//
// `total_allocated_bytes` is V8's own counter of all that was ever allocated on the heap of the main thread. It needs
// no garbage collection to be exact, and does not depend on the load. It does not contain memory outside of the heap,
// such as the bytes of large buffers.

import { isMainThread } from 'node:worker_threads';
import { getHeapStatistics } from 'node:v8';

const QUESTION = 'bench:usage';

if (isMainThread && process.send !== undefined) {
  process.on('message', (message) => {
    if (message === QUESTION) process.send({ [QUESTION]: usage() });
  });
  // The channel must not keep a process alive that has nothing else to do.
  process.channel?.unref();
}

function usage() {
  const { user, system } = process.cpuUsage();
  return {
    cpuMicros: user + system,
    allocatedBytes: getHeapStatistics().total_allocated_bytes,
    rssBytes: process.memoryUsage.rss(),
    maxRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}
