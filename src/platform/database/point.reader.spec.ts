import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { requestContext } from '../../common/context/request-context.js';
import { PointReader } from './point.reader.js';

interface Row {
  readonly id: string;
  readonly read: number;
}

/** Reads every id but those that begin with `missing`, and keeps what each statement asked for. */
function startReader(readAll?: (ids: string[]) => Promise<Row[]>) {
  const statements: string[][] = [];
  const reader = new PointReader<Row>(async (ids) => {
    statements.push(ids);
    const read = statements.length;
    if (readAll) return readAll(ids);
    await nextTurn();
    return ids.filter((id) => !id.startsWith('missing')).map((id) => ({ id, read }));
  }, 1000);
  return { reader, statements };
}

describe('PointReader', () => {
  it('reads what is asked for in one turn with one statement, each id once', async () => {
    const { reader, statements } = startReader();
    const found = await Promise.all(['a', 'b', 'a', 'missing'].map((id) => reader.find(id)));
    expect(found).toEqual([{ id: 'a', read: 1 }, { id: 'b', read: 1 }, { id: 'a', read: 1 }, null]);
    expect(statements).toEqual([['a', 'b', 'missing']]);
  });

  it('never answers with a statement that was sent before the question', async () => {
    const { reader, statements } = startReader();
    const first = reader.find('a');
    await nextTurn();
    expect(statements).toHaveLength(1);
    expect(await Promise.all([first, reader.find('a')])).toEqual([
      { id: 'a', read: 1 },
      { id: 'a', read: 2 },
    ]);
  });

  it('answers every question, with at most 100 ids in a statement', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^(?:missing)?\d{1,3}$/), { maxLength: 500 }),
        async (ids) => {
          const { reader, statements } = startReader();
          const found = await Promise.all(ids.map((id) => reader.find(id)));
          expect(found.map((row) => row?.id ?? null)).toEqual(
            ids.map((id) => (id.startsWith('missing') ? null : id)),
          );
          expect(Math.max(0, ...statements.map((asked) => asked.length))).toBeLessThanOrEqual(100);
        },
      ),
    );
  });

  it('fails for everybody when the statement fails, and reads again afterwards', async () => {
    let fails = true;
    const { reader } = startReader(async (ids) => {
      if (fails) throw new Error('lost');
      return ids.map((id) => ({ id, read: 0 }));
    });
    const outcomes = await Promise.allSettled([reader.find('a'), reader.find('b')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await reader.find('a')).toEqual({ id: 'a', read: 0 });
  });

  it('does not end with the request that asked first', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const { reader } = startReader(async (ids) => {
      signals.push(requestContext.current()?.signal);
      return ids.map((id) => ({ id, read: 0 }));
    });
    const caller = { principal: null, refusal: null };
    const context = { requestId: 'first', trace: null, origin: null, signal: AbortSignal.abort(), caller };
    const [first, second] = await Promise.all([
      requestContext.run(context, () => reader.find('a')),
      reader.find('b'),
    ]);
    expect([first?.id, second?.id]).toEqual(['a', 'b']);
    expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
  });
});
