import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { wherePossible } from '../support/app/where-possible.js';
import {
  ALERT_TESTS,
  alertRules,
  ALERTS,
  dashboards,
  metricsIn,
  shippedExpressions,
} from '../support/docs/metric-expressions.js';
import { noPromtool, promtool } from '../support/http/metrics-text.js';
import { readReferenceSources } from '../support/reference-sources.js';

/** Labels that Prometheus adds. */
const TARGET_LABELS = ['job', 'instance'];
const RUNBOOK = 'docs/operations/runbook.md';

/** The labels of each name under which a metric has series. */
async function knownSeries(): Promise<Map<string, readonly string[]>> {
  const known = new Map<string, readonly string[]>([['up', []]]);
  const add = (type: string, name: string, labels: readonly string[]): void => {
    if (type === 'histogram') {
      known.set(`${name}_bucket`, [...labels, 'le']);
      for (const part of ['sum', 'count']) known.set(`${name}_${part}`, labels);
    } else {
      known.set(name, labels);
    }
  };
  for (const { type, name, labels } of (await readReferenceSources()).metrics) add(type, name, labels);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { name, type } of await registry.getMetricsAsJSON()) add(String(type), name, []);
  return known;
}

describe('every expression of the dashboards and alerts', () => {
  let known: Map<string, readonly string[]>;
  beforeAll(async () => {
    known = await knownSeries();
  });

  const faultsOf = (expr: string): string[] =>
    metricsIn(expr).flatMap(({ name, labels }) => {
      const own = known.get(name);
      if (!own) return [`no metric ${name}`];
      const strange = labels.filter((label) => !own.includes(label) && !TARGET_LABELS.includes(label));
      return strange.map((label) => `${name} has no label ${label}`);
    });

  it('reads metrics and labels that the service has', () => {
    const expressions = shippedExpressions();
    expect(expressions.length).toBeGreaterThan(60);
    const faults = expressions.flatMap(({ where, expr }) => {
      const found = metricsIn(expr).length === 0 ? ['reads no metric'] : faultsOf(expr);
      return found.map((fault) => `${where}: ${fault}`);
    });
    expect(faults).toEqual([]);
  });

  it.each([
    ['sum(rate(http_request_total[5m]))', ['no metric http_request_total']],
    ['http_requests_total{path="/"} > 0', ['http_requests_total has no label path']],
    ['sum by (path) (rate(http_requests_total[5m]))', ['http_requests_total has no label path']],
    ['histogram_quantile(0.9, seal_duration_seconds)', ['no metric seal_duration_seconds']],
  ])('would be found wrong in %s', (expr, faults) => {
    expect(faultsOf(expr)).toEqual(faults);
  });
});

describe('a dashboard', () => {
  it('can be imported: it has an id of its own and asks for its data source', () => {
    const all = dashboards();
    expect(all.length).toBeGreaterThan(1);
    for (const { templating, panels } of all) {
      expect(templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource' });
      expect(JSON.stringify(panels)).not.toMatch(
        /"datasource":(?!\{"type":"prometheus","uid":"\$\{datasource\}"\})/,
      );
    }
  });
});

describe('an alert', () => {
  it('has a severity, a summary and an entry of the runbook with cause, look and action', () => {
    const runbook = readFileSync(new URL(`../../${RUNBOOK}`, import.meta.url), 'utf8');
    const entries = new Map(
      runbook
        .split(/^## /m)
        .slice(1)
        .map((entry) => [entry.slice(0, entry.indexOf('\n')), entry]),
    );
    const rules = alertRules();
    for (const { alert, labels, annotations } of rules) {
      expect([alert, labels['severity']]).toEqual([alert, expect.stringMatching(/^(?:critical|warning)$/)]);
      expect([alert, annotations['summary']]).toEqual([alert, expect.stringMatching(/\S/)]);
      expect(annotations['runbook_url']).toBe(`${RUNBOOK}#${alert.toLowerCase()}`);
      const parts = [...(entries.get(alert) ?? '').matchAll(/^\*\*(\w+)\.\*\* \S/gm)].map(([, part]) => part);
      expect([alert, parts]).toEqual([alert, ['Cause', 'Look', 'Action']]);
    }
    expect([...entries.keys()].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });

  it('has a test in which it fires and one in which it stays silent', () => {
    const tests = readFileSync(ALERT_TESTS, 'utf8');
    for (const { alert } of alertRules()) {
      expect(tests).toContain(`'${alert} fires'`);
      expect(tests).toContain(`'${alert} stays silent'`);
    }
  });
});

wherePossible(noPromtool, 'promtool and the alert rules', () =>
  describe('promtool', () => {
    it('accepts the rules', () => {
      expect(promtool(['check', 'rules', ALERTS])).toMatchObject({
        code: 0,
        output: expect.stringContaining(`${alertRules().length} rules found`),
      });
    });

    it('sees each alert fire when its condition holds, and stay silent otherwise', () => {
      expect(promtool(['test', 'rules', ALERT_TESTS])).toMatchObject({ code: 0 });
    });
  }),
);
