// Does what wrk.lua does, with autocannon: `autocannon.mjs <url> <connections> <seconds>`.

import { readFileSync } from 'node:fs';
import autocannon from 'autocannon';

const [url, connections, duration] = process.argv.slice(2);
const requests = readFileSync(process.env.BENCH_REQUESTS, 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
  .map(([path, token]) => ({ path, headers: token ? { authorization: `Bearer ${token}` } : {} }));
let opened = 0;

const result = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(duration),
  // Each connection begins at another request, so that those in flight differ.
  setupClient(client) {
    const first = Math.floor((opened++ * requests.length) / Number(connections));
    client.setRequests([...requests.slice(first), ...requests.slice(0, first)]);
  },
});
const { errors, timeouts, non2xx, latency } = result;
const report = {
  requests: result.requests.total,
  seconds: result.duration,
  failed: errors + timeouts + non2xx,
  p50Ms: latency.p50,
  p99Ms: latency.p99,
};
process.stdout.write(`BENCH ${JSON.stringify(report)}\n`);
