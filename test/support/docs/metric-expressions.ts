import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const ALERTS = `${ROOT}deploy/prometheus/alerts.yaml`;
export const ALERT_TESTS = `${ROOT}deploy/prometheus/alerts.test.yaml`;

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An expression of a dashboard or an alert. */
export interface Expression {
  readonly where: string;
  readonly expr: string;
}

/** A metric that an expression reads, and the labels that it names. */
export interface ReadMetric {
  readonly name: string;
  readonly labels: readonly string[];
}

export function alertRules(): AlertRule[] {
  const { groups } = parse(readFileSync(ALERTS, 'utf8')) as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
  readonly templating: { readonly list: readonly Variable[] };
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly definition?: string;
}

const dashboardFiles = () => globSync('deploy/grafana/*.json', { cwd: ROOT }).toSorted();

export function dashboards(): (Dashboard & { readonly file: string })[] {
  return dashboardFiles().map((file) => ({
    ...(JSON.parse(readFileSync(`${ROOT}${file}`, 'utf8')) as Dashboard),
    file: basename(file),
  }));
}

/** Returns every expression that ships. */
export function shippedExpressions(): Expression[] {
  const alerts = alertRules().map(({ alert, expr }) => ({ where: `the alert ${alert}`, expr }));
  const panels = dashboards().flatMap(({ file, panels: shown, templating }) => [
    ...shown.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: `${file}: ${title}`, expr })),
    ),
    ...templating.list.flatMap(({ name, definition }) => {
      const [, expr] = /^label_values\((.+), \w+\)$/.exec(definition ?? '') ?? [];
      return expr === undefined ? [] : [{ where: `${file}: $${name}`, expr }];
    }),
  ]);
  return [...alerts, ...panels];
}

const KEYWORDS = new Set(['and', 'or', 'unless', 'offset', 'bool', 'on', 'ignoring']);

/**
 * Returns the metrics of an expression, each with the labels of its selector and those by which the whole expression
 * groups.
 */
export function metricsIn(expr: string): ReadMetric[] {
  const grouped: string[] = [];
  const plain = expr
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(?:by|without)\s*\(([^)]*)\)/g, (_, list: string) => {
      grouped.push(...list.split(',').map((label) => label.trim()));
      return ' ';
    });
  const found = [...plain.matchAll(/([a-zA-Z_:][\w:]*)\s*(\{[^}]*\}|\()?/g)];
  return found.flatMap(([, name = '', after = '']) => {
    if (after === '(' || KEYWORDS.has(name)) return [];
    const selected = [...after.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label);
    return [{ name, labels: [...new Set([...selected, ...grouped])] }];
  });
}
