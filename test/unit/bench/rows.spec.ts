import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { replaceTables, type Result, writeResults } from '../../../bench/harness/files.mjs';
import { achievement, drawRows } from '../../../bench/harness/picture.mjs';
import { judge, type Row } from '../../../bench/harness/rows.mjs';
import { rowsTable, table } from '../../../bench/harness/table.mjs';
import { targets } from '../../../bench/targets.mjs';

const KNOWN = {
  'kb.gate': { atMost: 50, gate: true },
  'kb.open': { atMost: 50, gate: true, open: 'not done yet' },
  share: { atLeast: 0.5 },
};

function rowOf(id: string, value: number, more: Partial<Row> = {}): Row {
  return {
    id,
    name: `the row ${id}`,
    unit: '×',
    measure: { value, low: value / 2, high: value * 2 },
    ...more,
  };
}

const judged = (id: string, value: number, more?: Partial<Row>) => judge(rowOf(id, value, more), KNOWN);

describe('a row', () => {
  it.each([
    ['kb.gate', 50, true, false],
    ['kb.gate', 50.1, false, true],
    ['kb.open', 51, false, false],
    ['share', 0.5, true, false],
    ['share', 0.49, false, false],
  ])('%s of %d has reached its target: %s, and fails the run: %s', (id, value, reached, failed) => {
    expect(judged(id, value)).toMatchObject({ reached, failed });
  });

  it('without a target is neither reached nor missed', () => {
    expect(judged('unknown', 1)).toMatchObject({ target: null, reached: null, verdict: '', failed: false });
  });

  it('may share a target with others', () => {
    expect(judged('one of many', 0.4, { targetId: 'share' })).toMatchObject({ reached: false });
  });

  it('says that its target is missed for a known reason', () => {
    expect(judged('kb.open', 51).verdict).toBe('not reached, open');
    expect(judged('kb.gate', 51).verdict).toBe('not reached');
  });
});

describe('the targets', () => {
  it.each(Object.entries(targets))('%s has one bound', (_, { atMost, atLeast }) => {
    expect([atMost, atLeast].filter((bound) => bound !== undefined)).toHaveLength(1);
  });

  it('make gates only of kilobytes, which hardly depend on the machine', () => {
    const gates = Object.entries(targets).filter(([, { gate }]) => gate === true);
    expect(gates.map(([id]) => id)).toEqual(['me.kb', 'live.kb', 'page.kb']);
  });
});

describe('the tables', () => {
  it('align their columns', () => {
    expect(
      table([
        ['name', 'ms'],
        ['a', 1],
        ['longer', 100],
      ]).split('\n'),
    ).toEqual(['| name   |  ms |', '|--------|----:|', '| a      |   1 |', '| longer | 100 |']);
  });

  it('show the median, the spread, the target and the verdict', () => {
    const [, , line] = rowsTable([judged('share', 0.25)]).split('\n');
    expect(line?.split('|').map((cell) => cell.trim())).toEqual([
      '',
      'the row share',
      '0.25 ×',
      '0.13 to 0.50',
      'at least 0.5 ×',
      'not reached',
      '',
    ]);
  });
});

describe('the picture', () => {
  it('measures how far a row is from its target', () => {
    expect(achievement(25, { atMost: 50 })).toBe(2);
    expect(achievement(100, { atMost: 50 })).toBe(0.5);
    expect(achievement(0.25, { atLeast: 0.5 })).toBe(0.5);
    expect(achievement(0, { atMost: 50 })).toBe(Infinity);
  });

  it('draws a bar for each row with a target of its own, and escapes names', () => {
    const drawn = drawRows([
      judged('share', 0.5, { name: 'a < b & "c"' }),
      judged('unknown', 1),
      judged('one of many', 1, { targetId: 'share' }),
    ]);
    expect(drawn.match(/rx="2"/g)).toHaveLength(1);
    expect(drawn).toContain('a &lt; b &amp; &quot;c&quot;');
  });
});

describe('the files', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-bench-files-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const result = (value: number): Result => ({
    began: '2026-01-02T03:04:05.000Z',
    setup: 'a machine',
    options: { quick: false, rounds: 7 },
    rows: [judged('share', value)],
    texts: ['a text'],
  });

  it('keep the results of benchmarks that did not run again', () => {
    writeResults(folder, { reads: result(1), writes: result(2) });
    const all = writeResults(folder, { writes: result(3) });
    expect(all['reads']?.rows[0]?.measure.value).toBe(1);
    expect(all['writes']?.rows[0]?.measure.value).toBe(3);
    expect(JSON.parse(readFileSync(join(folder, 'latest.json'), 'utf8'))).toEqual(all);
    expect(readFileSync(join(folder, 'latest.svg'), 'utf8')).toContain('<svg ');
  });

  it('replace the tables of a document and nothing else', () => {
    const marks = ['<!-- Written by npm run bench from here -->', '<!-- to here -->'];
    const document = `before\n${marks.join('\nold\n')}\nafter\n`;
    const replaced = replaceTables(document, { reads: result(1) });
    expect(replaced).toMatch(/^before\n<!--[^]*-->\nafter\n$/);
    expect(replaced).toContain('### reads');
    expect(replaced).toContain('2026-01-02, 7 rounds; a machine.');
    expect(replaced).not.toContain('old');
    expect(replaceTables(replaced, { reads: result(1) })).toBe(replaced);
  });

  it('refuse a document without a place for the tables', () => {
    expect(() => replaceTables('nothing', { reads: result(1) })).toThrow('no place');
  });
});
