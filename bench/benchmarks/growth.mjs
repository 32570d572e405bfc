// The same requests with 1,000 and with 1,000,000 users, in turns.

import { Client } from '../harness/client.mjs';
import { addAccounts } from '../harness/database.mjs';
import { ratePerSecond } from '../harness/lanes.mjs';
import { startService } from '../harness/service.mjs';
import { median, ratio } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';

const SMALL = 1_000;
const BIG = 1_000_000;
const QUICK_BIG = 20_000;
const LANES = 8;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'growth',
  about: 'me, live, a page, refresh, sign-in and PATCH me with 1,000 and with 1,000,000 users',
  async run({ server, quick, rounds, options, report }) {
    const big = Number(options.accounts ?? (quick ? QUICK_BIG : BIG));
    const sides = [];
    try {
      for (const size of [SMALL, big]) {
        const database = await server.sampleDatabase(size);
        sides.push(await openSide(database));
      }
      const load = { lanes: LANES, ms: quick ? 200 : 2_000 };
      const cells = [];
      for (const name of Object.keys(OPERATIONS)) {
        const rates = [[], []];
        if (!quick)
          for (const side of sides) await ratePerSecond(load, (lane) => OPERATIONS[name](side, lane));
        for (let round = 0; round < rounds; round++) {
          for (const [place, side] of sides.entries()) {
            rates[place].push(await ratePerSecond(load, (lane) => OPERATIONS[name](side, lane)));
          }
        }
        const measure = ratio(rates[0], rates[1]);
        report.row({
          id: `growth.${name}`,
          targetId: 'growth',
          name: `${name}, time with ${big} users ÷ with ${SMALL}`,
          unit: '×',
          measure,
        });
        cells.push([name, ...rates.map((all) => format(median(all)))]);
      }
      report.text(table([['per second', `${SMALL} users`, `${big} users`], ...cells]));
    } finally {
      for (const side of sides) await side.stop();
    }
  },
};

const me = '/api/users/me';

/** One piece of work each, by a user of the lane. */
const OPERATIONS = {
  live: ({ client }) => client.expect(200, 'GET', '/health/live'),
  me: ({ client, sessions }, lane) => client.expect(200, 'GET', me, { token: sessions[lane].access_token }),
  page: ({ client, admin }) => client.expect(200, 'GET', '/api/users?limit=20', { token: admin }),
  refresh: async ({ client, sessions }, lane) => {
    const body = JSON.stringify({ refresh_token: sessions[lane].refresh_token });
    const answer = await client.expect(200, 'POST', '/api/auth/refresh', { body });
    Object.assign(sessions[lane], JSON.parse(answer.body));
  },
  patch: async ({ client, sessions }, lane) => {
    const session = sessions[lane];
    const body = JSON.stringify({ name: `Name ${(session.turn += 1)}` });
    await client.expect(200, 'PATCH', me, { token: session.access_token, body });
  },
  login: async ({ client, accounts }, lane) => {
    const { email, password } = accounts[lane];
    await client.expect(200, 'POST', '/api/auth/login', { body: JSON.stringify({ email, password }) });
  },
};

async function openSide(database) {
  const accounts = await addAccounts(database.url, LANES);
  const service = await startService(database.environment);
  const client = new Client(service.url, { maxSockets: LANES });
  const stop = async () => {
    client.close();
    await service.stop();
  };
  try {
    const sessions = [];
    for (const account of accounts) sessions.push({ ...(await service.signIn(account)), turn: 0 });
    return { accounts, client, sessions, admin: await service.signInAdmin(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
