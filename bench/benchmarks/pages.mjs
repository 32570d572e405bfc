// `GET /api/users?limit=20`: the first page and a deep page by cursor of a big table, beside Express with the same SQL.

import { measureCosts, measureKilobytes } from '../harness/contenders.mjs';
import { sql } from '../harness/database.mjs';
import { peerToken, startPeer } from '../harness/peers.mjs';
import { startService } from '../harness/service.mjs';
import { median, ratio, summarize } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';

const ACCOUNTS = 1_000_000;
const PAGES = 10_000;
const QUICK = { accounts: 20_000, pages: 100 };
const CONNECTIONS = 32;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'pages',
  about:
    'GET /api/users?limit=20, the first page and page 10,000 of a million users, beside Express with the same SQL',
  async run({ server, quick, rounds, options, report }) {
    const accounts = Number(options.accounts ?? (quick ? QUICK.accounts : ACCOUNTS));
    const pages = Number(options.pages ?? (quick ? QUICK.pages : PAGES));
    const database = await server.sampleDatabase(accounts);
    const service = await startService(database.environment);
    const started = [service];
    try {
      const express = await startPeer('express', { DATABASE_URL: database.url });
      started.push(express);
      const token = await service.signInAdmin();
      const [{ id }] = await sql(database.url, 'SELECT id FROM users LIMIT 1');
      const ours = { first: '/api/users?limit=20', deep: await walk(service, token, pages) };
      const theirs = { first: '/users?limit=20', deep: await deepPageOf(database.url, pages) };
      const peer = peerToken({ id });
      const contenders = [
        { name: 'service, first', process: service.process, requests: [{ path: ours.first, token }] },
        { name: 'service, deep', process: service.process, requests: [{ path: ours.deep, token }] },
        { name: 'express, first', process: express, requests: [{ path: theirs.first, token: peer }] },
        { name: 'express, deep', process: express, requests: [{ path: theirs.deep, token: peer }] },
      ];
      const load = { rounds, seconds: quick ? 1 : 2, connections: CONNECTIONS };
      const costs = await measureCosts(contenders, load);
      const counts = { rounds: quick ? 3 : 5, count: quick ? 200 : 2_000, connections: CONNECTIONS };
      const kilobytes = await measureKilobytes(contenders[0], counts);
      const of = (name) => costs.get(name);
      const rows = [
        [
          'page.deep.first',
          `p50 of page ${pages} by cursor ÷ first page`,
          ratio(of('service, deep').p50Ms, of('service, first').p50Ms),
        ],
        [
          'page.cpu.express',
          'CPU of the first page ÷ Express',
          ratio(of('service, first').micros, of('express, first').micros),
        ],
        [
          'page.deep.cpu.express',
          `CPU of page ${pages} ÷ Express`,
          ratio(of('service, deep').micros, of('express, deep').micros),
        ],
      ];
      for (const [rowId, name, measure] of rows) report.row({ id: rowId, name, unit: '×', measure });
      report.row({
        id: 'page.kb',
        name: 'allocated by a page of 20',
        unit: 'KB',
        measure: summarize(kilobytes),
      });
      const cells = [...costs].map(([name, { micros, perSecond, p50Ms }]) => [
        name,
        ...[micros, perSecond, p50Ms].map((all) => format(median(all))),
      ]);
      report.text(table([[`${accounts} users`, 'CPU µs', 'per second', 'p50 ms'], ...cells]));
    } finally {
      for (const each of started) await each.stop();
    }
  },
};

/** Walks to the page as a client does and returns its path. */
async function walk({ client }, token, pages) {
  let path = '/api/users?limit=20';
  for (let page = 1; page < pages; page++) {
    const { headers } = await client.expect(200, 'GET', path, { token });
    const next = /cursor=([^&>]+)/.exec(headers.link ?? '')?.[1];
    if (next === undefined) throw new Error(`there are only ${page} pages`);
    path = `/api/users?limit=20&cursor=${next}`;
  }
  return path;
}

/** Returns the path of the peer's page. Its cursor is the last row of the page before. */
async function deepPageOf(url, pages) {
  const [{ created_at: at, id }] = await sql(
    url,
    `SELECT created_at, id FROM users WHERE status <> 'deleted' ORDER BY created_at, id OFFSET $1 LIMIT 1`,
    [(pages - 1) * 20 - 1],
  );
  return `/users?limit=20&cursor=${Buffer.from(JSON.stringify([at, id])).toString('base64url')}`;
}
