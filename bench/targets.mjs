// The targets of the rows. One table, so that a bound is changed in one place and in sight.

/**
 * The bound of a row.
 * @typedef {object} Target
 * @property {number} [atMost] the highest value that reaches the target; either this or `atLeast`
 * @property {number} [atLeast] the lowest value that reaches the target
 * @property {number} [quickAtMost] the bound of a quick run, in which less code is optimized and fewer requests share a statement
 * @property {boolean} [gate] fails the run when the target is missed; only for rows that hardly depend on the machine
 * @property {string} [open] why the target is not reached yet; such a row fails no full run, and a quick run only at `quickAtMost`
 */

const READS =
  'what is left is spread thin: writing to sockets and the log, headers, Nest, the router. Joining reads while a statement is on its way, and one write for the log lines of a turn of the event loop, brought nothing';
const TWO_CONNECTIONS =
  'the process sleeps between requests, and each one begins with cold caches: the same request takes 540 µs at 2 connections, 200 at 8 and 145 at 32';
const PAGE =
  'a sixth is the write to PostgreSQL, an eighth the garbage collector, a twelfth the log line, and the rest is spread thin';

/** @type {Readonly<Record<string, Target>>} */
export const targets = {
  'me.cpu.express': { atMost: 0.7, open: READS },
  'me.cpu.fastify': { atMost: 1.2, open: READS },
  'me.cpu.nest': { atMost: 0.25 },
  'me.kb': { atMost: 52, quickAtMost: 60, gate: true },
  'me-2.cpu.express': { atMost: 1.2, open: TWO_CONNECTIONS },
  'live.cpu.express': { atMost: 2.2 },
  'live.kb': { atMost: 30, quickAtMost: 36, gate: true },
  'page.deep.first': { atMost: 1.5 },
  'page.cpu.express': { atMost: 1.3, open: PAGE },
  'page.kb': { atMost: 170, quickAtMost: 240, gate: true },
  'refresh.share': { atLeast: 0.5 },
  'patch.share': { atLeast: 0.5 },
  'login.share': {
    atLeast: 0.9,
    open: 'beside 25 ms of hash a sign-in costs the service 5 ms and PostgreSQL 4 ms of the same cores; see bench/README.md',
  },
  'change.ratio': { atMost: 2 },
  'storm.p99': { atMost: 250 },
  'storm.growth': { atMost: 200 },
  growth: { atMost: 1.5 },
  'memory.idle': { atMost: 150 },
  'memory.peak': { atMost: 250 },
  'memory.plateau': { atMost: 1.1 },
  'sockets.memory': { atMost: 16, quickAtMost: 64 },
  'sockets.delivery': { atMost: 1000 },
  'start.now': { atMost: 3000 },
  'start.embedded': { atMost: 3000 },
  'start.now.idle': { atMost: 150 },
  'start.embedded.idle': { atMost: 150 },
  'start.ratio': {
    atMost: 0.75,
    open: 'most of the rest is the search for 3,400 modules, and there are more of them than before; see ADR 62',
  },
  // The sorts of `GET /api/users` and of `GET /api/audit` beside the first page of a small table.
  'lists.page': {
    atMost: 2,
    open: 'a page with a filter is planned for each request and takes twice the time of the first page without one, at any size; see bench/README.md',
  },
  'audit.page': { atMost: 2 },
  suite: {
    atMost: 4,
    open: 'a sixth of the CPU time is in the test workers; the rest is in the processes of the service, the client and PostgreSQL that tests start, and each start of the service takes 3 s of it',
  },
  'seal.ms': { atMost: 1000 },
  'export.ndjson': {
    atLeast: 0.6,
    open: 'encoding takes a seventh of the time of a row, which has one column more than before (locale); writing integers, ids and lengths by hand brought nothing',
  },
  'export.csv': { atLeast: 0.6 },
  'export.sse': { atLeast: 0.4 },
  'export.growth': { atMost: 64 },
  'export.slowdown': {
    atMost: 2,
    open: 'the service, the reading backend and the reader share two cores; see bench/README.md',
  },
  'import.share': { atLeast: 0.1 },
  'webhooks.share': {
    atLeast: 0.5,
    open: 'a delivery takes 210 µs of CPU in the service, a fifth of it to write to the socket: it is read, decrypted, signed, sent and stored; the bare loop only signs and sends, and PostgreSQL shares its cores',
  },
  'webhooks.beside': { atMost: 1.5 },
  // A change of a flag takes effect everywhere within a second.
  'flags.flip': { atMost: 1000 },
  'flags.flip.loaded': { atMost: 1000 },
  'upstream.p50': { atMost: 1.5 },
  'upstream.p99': { atMost: 1.5 },
  'upstream.added': { atMost: 50 },
  'upstream.return': { atMost: 10_000 },
  'upstream.probes': { atMost: 1 },
  'tracing.share': { atLeast: 0.95 },
  'overload.share': { atLeast: 0.8 },
  'overload.probes': { atMost: 0 },
  'overload.refusal': { atMost: 1 },
};
