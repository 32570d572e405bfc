import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { preferredType } from './accept.js';

const SSE = 'text/event-stream';
const NDJSON = 'application/x-ndjson';
const CSV = 'text/csv';
const OFFERS = [SSE, NDJSON, CSV];

describe('preferredType', () => {
  it.each([
    [undefined, SSE],
    ['', SSE],
    [' , ', SSE],
    ['*/*', SSE],
    [CSV, CSV],
    ['text/csv; charset=utf-8', CSV],
    ['text/csv;charset="UTF-8";header=present', CSV],
    ['text/csv ; header=absent ; q=0.5, application/x-ndjson;profile="a,b;q=0";q=0.6', NDJSON],
    ['application/x-ndjson; charset=utf-8', NDJSON],
    ['text/event-stream;charset=utf-8', SSE],
    ['TEXT/CSV', CSV],
    ['  text/csv\t', CSV],
    ['text/html, application/xhtml+xml, text/csv;q=0.1', CSV],
    ['application/*', NDJSON],
    ['text/*', SSE],
    ['text/*, text/event-stream;q=0', CSV],
    ['*/*, text/*;q=0', NDJSON],
    ['text/csv, application/x-ndjson', CSV],
    ['application/x-ndjson, text/csv', NDJSON],
    ['*/*, text/csv', CSV],
    ['text/csv;q=0.2, application/x-ndjson;q=0.3', NDJSON],
    ['text/csv;q=.2, application/x-ndjson;q=0.1000000', CSV],
    ['text/csv;Q=0.1, application/x-ndjson;q = "0.2"', NDJSON],
    ['text/csv;q=7, application/x-ndjson', CSV],
    ['text/csv;q=, application/x-ndjson;q=0.9', CSV],
    ['text/csv;q=high, application/x-ndjson;q=0.9', CSV],
    ['text/csv;q=0.5;version=1;q=0.9, application/x-ndjson;q=0.6', NDJSON],
    ['text/csv;charset=latin1;q=0, text/csv;charset=utf-8;q=0.4', CSV],
    ['nonsense, /, text/, text/csv', CSV],
    ['*/csv, text/csv;q=0.1', CSV],
    ['text/csv;x="unclosed', CSV],
  ])('given "%s", returns %s', (accept, type) => {
    expect(preferredType(accept, OFFERS)).toBe(type);
  });

  it.each([
    'application/xml',
    'text/html; charset=utf-8',
    'text/csv;q=0',
    'text/csv; charset=utf-8; q=0.000',
    'text/csv;q=-1',
    '*/*;q=0',
    'text/*;q=0, application/json',
    'nonsense',
    'text/csvx',
    'xtext/csv',
    'text/csv/x',
    'text csv',
  ])('returns null for "%s"', (accept) => {
    expect(preferredType(accept, OFFERS)).toBeNull();
  });

  const parameter = fc.constantFrom(
    '',
    ';charset=utf-8',
    '; q=0',
    ';q=0.5',
    ';Q=1',
    ';x="a,b;q=0"',
    ';q=x',
    ';;',
    '; q = .7',
  );
  const range = fc.tuple(
    fc.constantFrom(...OFFERS, 'text/*', '*/*', 'text/html', 'x', ''),
    parameter,
    parameter,
  );

  it('returns only a type that some range names with a positive weight', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 6 }), (ranges) => {
        const accept = ranges.map((parts) => parts.join('')).join(' , ');
        const preferred = preferredType(accept, OFFERS);
        if (/^[ ,]*$/.test(accept)) return;
        const takes = (offer: string) =>
          ranges.some(([name, ...rest]) => {
            const covers =
              name === offer || name === '*/*' || (name === 'text/*' && offer.startsWith('text/'));
            return covers && rest.find((each) => /q ?= ?[.\d]/i.test(each.replace(/".*"/, ''))) !== '; q=0';
          });
        if (preferred !== null) expect(takes(preferred)).toBe(true);
        const named = (offer: string) => ranges.some(([name]) => name === offer);
        const exact = OFFERS.filter(
          (offer) =>
            named(offer) && ranges.some(([name, ...rest]) => name === offer && !rest.includes('; q=0')),
        );
        if (exact.length > 0) expect(preferred).not.toBeNull();
      }),
      { numRuns: 1000 },
    );
  });

  it('runs in linear time', () => {
    const started = performance.now();
    for (const long of [
      '"'.repeat(16_000),
      `text/csv;${'"\\'.repeat(8000)}`,
      'a/b,'.repeat(4000),
      ';q='.repeat(5000),
    ]) {
      preferredType(long, OFFERS);
    }
    expect(performance.now() - started).toBeLessThan(500);
  });
});
