import { describe, expect, it } from '@jest/globals';
import type { Request, Response } from 'express';
import { Counter, Histogram } from 'prom-client';
import { HttpMetrics } from './http.metrics.js';

const labelNames = ['method', 'route', 'status'];
const request = { method: 'GET' } as Request;
const response = { headersSent: true, statusCode: 200 } as Response;

describe('HttpMetrics', () => {
  const requests = new Counter({ name: 'requests', help: '-', labelNames, registers: [] });
  const duration = new Histogram({ name: 'duration', help: '-', labelNames, registers: [] });
  const metrics = new HttpMetrics(requests, duration);
  const observe = (route: string) => metrics.observe(request, response, { route, durationMs: 1 });
  const countOf = async (route: string) =>
    (await requests.get()).values.find(({ labels }) => labels['route'] === route)?.value;

  it('keeps the series in use when there are too many, and removes those not used for long', async () => {
    for (let route = 0; route < 1000; route++) {
      observe(`/route-${route}`);
      observe('/used');
    }
    expect(await countOf('/used')).toBe(1000);
    expect(await countOf('/route-999')).toBe(1);
    expect(await countOf('/route-0')).toBeUndefined();
    expect((await requests.get()).values.length).toBe(400);
    const timed = (await duration.get()).values.filter(({ metricName }) => metricName === 'duration_count');
    expect(timed.length).toBe(75);
    expect(timed.find(({ labels }) => labels.route === '/used')?.value).toBe(1000);
  });

  it('counts a route anew that comes back', async () => {
    observe('/route-0');
    observe('/route-0');
    expect(await countOf('/route-0')).toBe(2);
  });
});
