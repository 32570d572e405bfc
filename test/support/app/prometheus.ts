import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { alertRules } from '../docs/metric-expressions.js';
import { freePort } from '../http/free-port.js';
import { until } from './until.js';

/** The reason why no Prometheus can run here; null where one can. */
export const noPrometheus: string | null =
  spawnSync('prometheus', ['--version']).error === undefined ? null : 'prometheus is not installed';

const START_WITHIN_MS = 60_000;

interface ActiveAlert {
  readonly state: 'pending' | 'firing';
  readonly labels: { readonly alertname: string };
}

/** A real Prometheus on this machine that scrapes a service every second. */
export class TestPrometheus {
  private constructor(
    private readonly process: ChildProcess,
    private readonly folder: string,
    private readonly url: string,
  ) {}

  /**
   * Starts it with the shipped rules, except that alerts fire at once, and that rates are those of the last `windowSeconds`.
   */
  static async start(target: string, windowSeconds: number): Promise<TestPrometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-prometheus-'));
    const rules = alertRules().map((rule) => ({
      ...rule,
      for: '0s',
      expr: rule.expr.replaceAll(/\[\w+\]/g, `[${windowSeconds}s]`),
    }));
    await writeFile(join(folder, 'alerts.yaml'), stringify({ groups: [{ name: 'gatehouse', rules }] }));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: ['alerts.yaml'],
      scrape_configs: [{ job_name: 'gatehouse', static_configs: [{ targets: [new URL(target).host] }] }],
    };
    await writeFile(join(folder, 'prometheus.yaml'), stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-10_000)));
    const prometheus = new TestPrometheus(child, folder, `http://${address}`);
    const ready = () =>
      fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    try {
      await until(ready, START_WITHIN_MS, 'Prometheus is ready');
    } catch (error) {
      await prometheus.stop();
      throw new Error(`Prometheus did not start: ${said}`, {
        cause: error,
      });
    }
    return prometheus;
  }

  /** Returns the names of the alerts that fire. */
  async firing(): Promise<string[]> {
    const { data } = (await this.ask('alerts')) as { data: { alerts: readonly ActiveAlert[] } };
    return data.alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname);
  }

  /** Returns the health of the scraped target: `up`, `down` or `unknown`. */
  async targetHealth(): Promise<string | undefined> {
    const { data } = (await this.ask('targets')) as {
      data: { activeTargets: readonly { readonly health: string }[] };
    };
    return data.activeTargets[0]?.health;
  }

  async stop(): Promise<void> {
    const ended = this.process.exitCode === null ? once(this.process, 'exit') : null;
    this.process.kill('SIGKILL');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  private async ask(what: 'alerts' | 'targets'): Promise<unknown> {
    const answer = await fetch(`${this.url}/api/v1/${what}`);
    return answer.json();
  }
}
