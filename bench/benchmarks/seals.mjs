// The time to seal 10,000 entries, from the horizon to the durable commit, and its effect on writers.

import { createApp } from '../../dist/src/app.js';
import { readConfig } from '../../dist/src/config/config.js';
import { SealingService } from '../../dist/src/modules/audit/sealing/sealing.service.js';
import { SealWriter } from '../../dist/src/modules/audit/sealing/seal.writer.js';
import { SealsService } from '../../dist/src/modules/audit/sealing/seals.service.js';
import { withClient } from '../harness/database.mjs';
import { secondsOf } from '../harness/lanes.mjs';
import { median, quantile, summarize } from '../harness/statistics.mjs';
import { table } from '../harness/table.mjs';

const FULL = { entries: 10_000, seals: 20, calmWrites: 500 };
/** A seal takes at most 10,000 entries. With fewer, it would also take some that are written meanwhile. */
const QUICK = { entries: 10_000, seals: 1, calmWrites: 20 };

const INSERT = `INSERT INTO audit_entries
  (id, occurred_at, actor_type, actor_id, session_id, action, target_type, target_id, outcome, request_id, trace_id,
   origin_key, origin_sealed, changes_key, changes_sealed)
  SELECT gen_random_uuid(), clock_timestamp(), 'user', gen_random_uuid(), gen_random_uuid(), 'user.update', 'user',
         gen_random_uuid()::text, 'success', gen_random_uuid()::text, md5(n::text), gen_random_uuid(),
         sha256(n::text::bytea) || sha256('a'), gen_random_uuid(), sha256(n::text::bytea) || sha256('b')
  FROM generate_series(1, $1::integer) AS n`;

/** @type {import('../harness/benchmark.mjs').Benchmark} */
export default {
  name: 'seals',
  about: 'seals of 10,000 audit entries, writers meanwhile, and the verification of the log',
  async run({ server, quick, report }) {
    const sizes = quick ? QUICK : FULL;
    const { environment } = await server.database('seals');
    const app = await createApp(readConfig({ ...environment, LOG_LEVEL: 'silent' }));
    try {
      await app.init();
      // The app's own sealer runs every second and would seal the entries to be measured.
      await app.get(SealWriter).onModuleDestroy();
      await withClient(environment.DATABASE_URL, (client) => measure({ app, client, sizes, report }));
    } finally {
      await app.close();
    }
  },
};

async function measure({ app, client, sizes: { entries, seals, calmWrites }, report }) {
  const sealing = app.get(SealingService);
  const times = [];
  const busy = [];
  await sealing.sealNext();
  const calm = await writesUntil(client, (count) => count >= calmWrites);
  while ((await sealing.sealNext()).entries > 0);
  for (let round = 0; round < seals; round++) {
    await client.query(INSERT, [entries]);
    let done = false;
    const started = performance.now();
    const sealed = sealing.sealNext().finally(() => {
      times.push(performance.now() - started);
      done = true;
    });
    busy.push(...(await writesUntil(client, () => done)));
    const answer = await sealed;
    if (answer.entries !== entries) throw new Error(`${answer.entries} entries were sealed`);
    while ((await sealing.sealNext()).entries > 0);
  }
  let verified = { valid: false, entries: 0 };
  const verifying = await secondsOf(async () => {
    verified = await app.get(SealsService).verify({});
  });
  if (!verified.valid) throw new Error('the audit log does not verify');
  const worst = { ...summarize(times), value: Math.max(...times) };
  report.row({ id: 'seal.ms', name: `the slowest seal of ${entries} entries`, unit: 'ms', measure: worst });
  const row = (name, values) => [
    name,
    values.length,
    ...[median(values), quantile(values, 0.99), Math.max(...values)].map((ms) => ms.toFixed(1)),
  ];
  report.text(
    `${table([
      ['', 'times', 'median ms', 'p99 ms', 'max ms'],
      row(`seal ${entries} entries`, times),
      row('write one entry during a seal', busy),
      row('write one entry otherwise', calm),
    ])}\n\nverified: ${verified.entries} entries in ${verifying.toFixed(1)} s`,
  );
}

/**
 * Writes single entries sequentially, each in its own transaction.
 * @returns the milliseconds of each write
 */
async function writesUntil(client, isDone) {
  const times = [];
  while (!isDone(times.length)) {
    times.push((await secondsOf(() => client.query(INSERT, [1]))) * 1000);
  }
  return times;
}
