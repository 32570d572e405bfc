import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Gauge } from 'prom-client';
import { DataSource } from 'typeorm';
import { SqlRunner } from '../../src/platform/database/sql.runner.js';
import { HorizonMonitor } from '../../src/platform/event-store/horizon.monitor.js';
import { until } from '../support/app/until.js';

/**
 * A program that keeps a separate cluster until its input ends. A server accepts prepared transactions only
 * if it was started with that setting.
 */
const HOLD_CLUSTER = `
  const { joinEmbeddedPostgres } = await import('./dist/src/platform/embedded-postgres/embedded-postgres.js');
  const { run } = await import('./test/support/app/global-teardown.mjs');
  const join = () => joinEmbeddedPostgres({ dataDir: process.argv[1], notice() {} });
  const first = await join();
  await run(first.urls.superuserUrl, 'ALTER SYSTEM SET max_prepared_transactions = 2');
  await first.leave();
  const cluster = await join();
  console.log(cluster.urls.superuserUrl);
  process.stdin.resume().once('end', () => cluster.leave());`;

let dataDir: string;
let cluster: ChildProcess;
let database: DataSource;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-prepared-'));
  cluster = spawn(process.execPath, ['--input-type=module', '--eval', HOLD_CLUSTER, dataDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    cluster.stdout?.once('data', (line: Buffer) => resolve(line.toString().trim()));
    cluster.once('exit', () => reject(new Error('the cluster did not start')));
  });
  database = new DataSource({ type: 'postgres', url });
  await database.initialize();
});
afterAll(async () => {
  await database?.destroy();
  const ended = once(cluster, 'exit');
  cluster.stdin?.end();
  await ended;
  await rm(dataDir, { recursive: true, force: true });
});

it('measures and names a prepared transaction that delays the feed, although it has no connection', async () => {
  const runner = database.createQueryRunner();
  await runner.query('BEGIN');
  await runner.query('SELECT pg_current_xact_id()');
  await runner.query(`PREPARE TRANSACTION 'left behind'`);
  await runner.release();
  // Nothing waits for it until another transaction has written after it.
  await database.query('SELECT pg_current_xact_id()');
  const said: string[] = [];
  const silent = () => {};
  Logger.overrideLogger({ log: silent, error: silent, warn: (line: unknown) => said.push(String(line)) });
  try {
    const lag = new Gauge({ name: 'lag', help: 'lag', registers: [] });
    const monitor = new HorizonMonitor(new SqlRunner(database), lag);
    const measured = async () => (await lag.get()).values[0]?.value ?? 0;
    await until(async () => {
      await monitor.sample(0.05);
      return said.length > 0;
    });
    expect(said).toEqual([
      expect.stringMatching(/held up for \d+\.\d s by prepared transaction left behind of database \w+$/),
    ]);
    expect(await measured()).toBeGreaterThan(0.05);
    await database.query(`ROLLBACK PREPARED 'left behind'`);
    await monitor.sample();
    expect(await measured()).toBe(0);
  } finally {
    Logger.overrideLogger(false);
  }
});
