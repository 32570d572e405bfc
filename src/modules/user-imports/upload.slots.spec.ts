import { afterEach, describe, expect, it } from '@jest/globals';
import { UploadSlots } from './upload.slots.js';

const LIMITS = { uploads: 4, uploadsOfAccount: 2, waiting: 6, waitingOfAccount: 3, waitMs: 20_000 };
const never = new AbortController().signal;
const REFUSED = {
  code: 'OVERLOADED',
  status: 503,
  headers: { 'Retry-After': expect.stringMatching(/^\d+$/) },
};

interface Upload {
  readonly done: Promise<string>;
  readonly end: () => void;
}

let started: Upload[] = [];
afterEach(async () => {
  for (const { end } of started) end();
  await Promise.allSettled(started.map(({ done }) => done));
  started = [];
});

/** The uploads of one test. Each ends when the test says so. */
function uploadsWithin(limits: Partial<typeof LIMITS> = {}) {
  const slots = new UploadSlots({ ...LIMITS, ...limits });
  const begun: string[] = [];
  const start = (name: string, abandoned: AbortSignal = never): Upload => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const [account = ''] = name.split('/');
    const done = slots.run(account, abandoned, () => {
      begun.push(name);
      return promise;
    });
    done.catch(() => {});
    const upload = { done, end: () => resolve(name) };
    started.push(upload);
    return upload;
  };
  return { slots, begun, start };
}

/** Lets every promise that can settle do so. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the slots of uploads', () => {
  it('leave the other slots to other accounts when one account fills its own', async () => {
    const { begun, start } = uploadsWithin();
    const [first] = ['a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'b/3'].map((name) => start(name));
    await turn();
    expect(begun).toEqual(['a/1', 'a/2', 'b/1', 'b/2']);
    first?.end();
    await expect(first?.done).resolves.toBe('a/1');
    await turn();
    expect(begun.slice(4)).toEqual(['a/3']);
  });

  it('go to waiting uploads in order, one for each that ends', async () => {
    const { begun, start } = uploadsWithin({ uploads: 1 });
    const names = ['a/1', 'b/1', 'a/2', 'c/1'];
    const uploads = names.map((name) => start(name));
    for (const [place, { done, end }] of uploads.entries()) {
      await turn();
      expect(begun).toEqual(names.slice(0, place + 1));
      end();
      await done;
    }
  });

  it('are refused after the longest wait, and are free for others then', async () => {
    const { begun, start } = uploadsWithin({ waitMs: 50 });
    const [first] = [start('a/1'), start('a/2')];
    await expect(start('a/3').done).rejects.toMatchObject(REFUSED);
    first.end();
    await first.done;
    start('a/4');
    await turn();
    expect(begun).toEqual(['a/1', 'a/2', 'a/4']);
  });

  it('are given up at once by a client that leaves while it waits, and kept by one in its slot', async () => {
    const { begun, start } = uploadsWithin();
    const client = new AbortController();
    const first = start('a/1', client.signal);
    start('a/2');
    const waiting = start('a/3', client.signal);
    client.abort();
    await expect(waiting.done).rejects.toMatchObject(REFUSED);
    await expect(start('a/4', client.signal).done).rejects.toMatchObject(REFUSED);
    first.end();
    await expect(first.done).resolves.toBe('a/1');
    expect(begun).toEqual(['a/1', 'a/2']);
  });

  it('have a bounded number of waiting uploads, in all and of one account', async () => {
    const { start } = uploadsWithin({ uploads: 1 });
    const waiting = ['a/1', 'a/2', 'a/3', 'a/4', 'b/1', 'b/2', 'b/3'].map((name) => start(name));
    for (const name of ['a/5', 'b/4', 'c/1']) await expect(start(name).done).rejects.toMatchObject(REFUSED);
    for (const { end } of waiting) end();
    await Promise.all(waiting.map(({ done }) => done));
    const last = start('c/2');
    last.end();
    await expect(last.done).resolves.toBe('c/2');
  });

  it('are free again after an upload that fails', async () => {
    const { slots, start } = uploadsWithin({ uploads: 1 });
    const failing = slots.run('a', never, () => Promise.reject(new Error('broken')));
    await expect(failing).rejects.toThrow('broken');
    const next = start('a/2');
    next.end();
    await expect(next.done).resolves.toBe('a/2');
  });
});
