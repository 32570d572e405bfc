import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type ReferenceSources, readReferenceSources } from '../support/reference-sources.js';
import { pageOf, type TableName, tableNames, withTable } from '../support/reference-tables.js';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('the tables under docs/reference', () => {
  let sources: ReferenceSources;
  beforeAll(async () => {
    sources = await readReferenceSources();
  });

  it.each(tableNames)('%s is up to date (fix: `npm run docs:tables`)', (name) => {
    const page = read(pageOf(name));
    expect(page).toBe(withTable(page, name, sources));
  });

  it('differ after any change to their facts', () => {
    const { variables, errorCodes, permissions, routes, events, auditActions, metrics } = sources;
    const [variable, row] = [variables['PORT']!, errorCodes['CONFLICT']!];
    const changed = (port: object) => ({ variables: { ...variables, PORT: { ...variable, ...port } } });
    const [route, event, metric] = [routes[0]!, events[0]!, metrics[0]!];
    const changes: readonly (readonly [TableName, Partial<ReferenceSources>])[] = [
      ['configuration', { variables: { ...variables, ONE_MORE: variable } }],
      ['configuration', changed({ default: '3001' })],
      ['configuration', changed({ production: null })],
      ['configuration', changed({ secret: true })],
      ['configuration', changed({ description: 'Other' })],
      ['errors', { errorCodes: { ...errorCodes, CONFLICT: { ...row, message: 'Other' } } }],
      ['errors', { errorCodes: { ...errorCodes, CONFLICT: { ...row, status: 410 } } }],
      ['errors', { errorCodes: { ...errorCodes, CONFLICT: { ...row, level: 'error' } } }],
      ['permissions', { permissions: permissions.slice(1) }],
      ['permissions', { routes: routes.filter(({ policy }) => policy?.kind !== 'permission') }],
      ['routes', { routes: [...routes, { ...route, path: '/one-more' }] }],
      ['routes', { routes: [{ ...route, policy: { kind: 'signed-in' } }, ...routes.slice(1)] }],
      ['events', { events: events.slice(1) }],
      ['events', { events: [{ ...event, listeners: ['Some.listener'] }, ...events.slice(1)] }],
      ['audit-actions', { auditActions: auditActions.slice(1) }],
      ['metrics', { metrics: [{ ...metric, help: 'Other' }, ...metrics.slice(1)] }],
      ['metrics', { metrics: [{ ...metric, labels: ['other'] }, ...metrics.slice(1)] }],
    ];
    const unchanged = changes.filter(([name, change]) => {
      const page = read(pageOf(name));
      return withTable(page, name, { ...sources, ...change }) === page;
    });
    expect(unchanged).toEqual([]);
  });

  it('reject an event type without a description', () => {
    const events = [{ type: 'user.renamed', listeners: [] }];
    expect(() => withTable(read(pageOf('events')), 'events', { ...sources, events })).toThrow(
      'describes no event user.renamed',
    );
  });

  it('keep the text around them', () => {
    const frame = 'a\n<!-- errors -->\nold\n<!-- /errors -->\nb\n';
    const made = withTable(frame, 'errors', sources);
    expect(made.replaceAll(/^\|.*\n/gm, '').replaceAll(/\n+/g, '\n')).toBe(
      'a\n<!-- errors -->\n<!-- /errors -->\nb\n',
    );
    expect(withTable(made, 'errors', sources)).toBe(made);
    expect(() => withTable('nothing', 'errors', sources)).toThrow('lacks <!-- errors -->');
  });
});
