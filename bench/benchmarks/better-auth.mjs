// Sign-in and session look-up beside better-auth on Express.

import { Client } from '../harness/client.mjs';
import { measureCosts } from '../harness/contenders.mjs';
import { addAccounts, PASSWORD } from '../harness/database.mjs';
import { ratePerSecond } from '../harness/lanes.mjs';
import { startPeer } from '../harness/peers.mjs';
import { startService } from '../harness/service.mjs';
import { median, ratio } from '../harness/statistics.mjs';
import { format, table } from '../harness/table.mjs';

const CALLERS = 64;
const QUICK_CALLERS = 4;
const CONNECTIONS = 32;
const LANES = 8;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'better-auth',
  about: 'sign-in and session look-up beside better-auth on Express',
  async run({ server, quick, rounds, report }) {
    const callers = quick ? QUICK_CALLERS : CALLERS;
    const database = await server.database('better_auth_service');
    const accounts = await addAccounts(database.url, callers);
    const peerDatabase = await server.emptyDatabase('better_auth');
    const service = await startService(database.environment);
    const started = [service];
    try {
      // Its database belongs to the role that makes its tables.
      const peer = await startPeer('better-auth', { DATABASE_URL: peerDatabase.url });
      started.push(peer);
      const clients = [service, peer].map(({ url }) => new Client(url, { maxSockets: LANES }));
      started.push({ stop: () => clients.forEach((client) => client.close()) });
      const tokens = { service: [], peer: [] };
      for (const account of accounts) {
        tokens.service.push((await service.signIn(account)).access_token);
        tokens.peer.push(await signUp(clients[1], account));
      }
      const seconds = quick ? 1 : 2;
      const lookUps = await measureCosts(
        [
          { name: 'service', process: service.process, requests: lookUp('/api/users/me', tokens.service) },
          { name: 'better-auth', process: peer, requests: lookUp('/me', tokens.peer) },
        ],
        { rounds, seconds, connections: CONNECTIONS },
      );
      const signIns = await measureSignIns({ clients, accounts, rounds, ms: quick ? 1_000 : 5_000 });
      report.row({
        id: 'look-up.cpu.better-auth',
        name: 'CPU of me ÷ session look-up of better-auth',
        unit: '×',
        measure: ratio(lookUps.get('service').micros, lookUps.get('better-auth').micros),
      });
      report.row({
        id: 'sign-in.better-auth',
        name: 'sign-ins a second ÷ those of better-auth with the same hash',
        unit: '×',
        measure: ratio(signIns.service, signIns.peer),
      });
      const cells = [
        ['service', lookUps.get('service'), signIns.service],
        ['better-auth', lookUps.get('better-auth'), signIns.peer],
      ].map(([name, costs, rates]) => [
        name,
        ...[costs.micros, costs.perSecond, rates].map((all) => format(median(all))),
      ]);
      report.text(table([['', 'look-up, CPU µs', 'look-ups a second', 'sign-ins a second'], ...cells]));
    } finally {
      for (const each of started.toReversed()) await each.stop();
    }
  },
};

function lookUp(path, tokens) {
  return tokens.map((token) => ({ path, token }));
}

/** Returns the bearer token of the new account's first session. */
async function signUp(client, { email }) {
  const body = JSON.stringify({ email, password: PASSWORD, name: 'Bench' });
  const { headers } = await client.expect(200, 'POST', '/api/auth/sign-up/email', { body, headers: ORIGIN });
  const token = headers['set-auth-token'];
  if (typeof token !== 'string') throw new Error('better-auth returned no bearer token');
  return token;
}

/** The headers of a browser behind a proxy. better-auth requires the first of requests with a body. */
const ORIGIN = { origin: 'http://127.0.0.1', 'x-forwarded-for': '10.0.0.1' };

async function measureSignIns({ clients: [ours, theirs], accounts, rounds, ms }) {
  const rates = { service: [], peer: [] };
  let turn = 0;
  const signIn = async (client, path, headers) => {
    const { email, password } = accounts[turn++ % accounts.length];
    await client.expect(200, 'POST', path, { headers, body: JSON.stringify({ email, password }) });
  };
  for (let round = 0; round < rounds; round++) {
    rates.service.push(await ratePerSecond({ lanes: LANES, ms }, () => signIn(ours, '/api/auth/login')));
    rates.peer.push(
      await ratePerSecond({ lanes: LANES, ms }, () => signIn(theirs, '/api/auth/sign-in/email', ORIGIN)),
    );
  }
  return rates;
}
