import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { formatPosition, type EventPosition } from '../../../common/event-position.js';
import type { EventAnnouncer } from '../../../platform/event-store/event.announcer.js';
import type { EventStore, SettledPage, StoredEvent } from '../../../platform/event-store/event-store.js';
import { EventReader } from './event.reader.js';
import type { EventSource } from './event.source.js';
import { EventTailer } from './event.tailer.js';
import type { LiveEvent } from './live.event.js';

const place = (seq: number): EventPosition => ({ epoch: 1, xid: '1', seq: String(seq) });
const at = (seq: number) => formatPosition(place(seq));
const seqOf = ({ position }: { readonly position: string }) => Number(position.slice(-19));

/** A question of the tailer that the test answers. */
interface Asked<T> {
  readonly resolve: (answer: T) => void;
}

describe('EventTailer', () => {
  let reads: (Asked<SettledPage> & { readonly after: number })[];
  let ends: Asked<string>[];
  let announce: () => void;
  let tailer: EventTailer;
  /** The events that readers find in the store. */
  let stored: number[];

  const pageOf = (...seqs: number[]): SettledPage => {
    const last = seqs.at(-1);
    const events = seqs.map((seq) => ({ position: place(seq), type: 'a', subject: 'x' }) as StoredEvent);
    return { events, end: last === undefined ? null : place(last), hasMore: false };
  };
  const live = (seq: number) => ({ position: at(seq), type: 'a', subject: 'x' }) as LiveEvent;
  const source = {
    toLive: ({ position }: StoredEvent) => live(Number(position.seq)),
    findEnd: () => new Promise<string>((resolve) => ends.push({ resolve })),
    readAfter: (cursor: string) => {
      const events = stored.filter((seq) => at(seq) > cursor).map(live);
      return Promise.resolve({ events, cursor: events.at(-1)?.position ?? cursor });
    },
  } as unknown as EventSource;

  beforeEach(() => {
    jest.useFakeTimers();
    [reads, ends, stored] = [[], [], []];
    const store = {
      readSettled: (
        { seq }: EventPosition,
        isWanted: (event: { type: string; subject: string }) => boolean,
      ) => {
        const isRead = isWanted({ type: 'a', subject: 'x' });
        return new Promise<SettledPage>((resolve) =>
          reads.push({
            resolve: (page) => resolve({ ...page, events: isRead ? page.events : [] }),
            after: Number(seq),
          }),
        );
      },
      hasUnsettled: () => Promise.resolve(false),
    } as unknown as EventStore;
    const announcer = { subscribe: (listener: () => void) => (announce = listener) };
    tailer = new EventTailer(store, source, announcer as unknown as EventAnnouncer);
    tailer.onModuleInit();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Lets everything happen that waits for no timer. */
  const settle = () => jest.advanceTimersByTimeAsync(0);
  const begin = async (after: number, types: readonly string[] | null = null): Promise<EventReader> => {
    const reader = new EventReader(source, tailer, at(after), { own: null, all: { types } });
    const started = reader.start();
    ends.shift()?.resolve(at(after));
    await started;
    return reader;
  };
  /** Collects what the reader returns until it is stopped. */
  const collect = (reader: EventReader): number[] => {
    const seen: number[] = [];
    void (async () => {
      for (let events = await reader.next(null); events.length > 0; events = await reader.next(null))
        seen.push(...events.map(seqOf));
    })();
    return seen;
  };

  it('lets a reader who comes while a page is read wait for its end, and find in the store what it missed', async () => {
    const other = collect(await begin(4, ['b']));
    await settle();
    announce();
    await settle();
    const seen = collect(await begin(4));
    await settle();
    stored = [5, 6];
    // Nobody wanted these when the page was chosen.
    reads.shift()?.resolve(pageOf(5, 6));
    await settle();
    expect(seen).toEqual([5, 6]);
    announce();
    await settle();
    reads.shift()?.resolve(pageOf(7));
    await settle();
    expect([seen, other]).toEqual([[5, 6, 7], []]);
  });

  it('reads again at once when an announcement arrives during a read', async () => {
    const seen = collect(await begin(4));
    await settle();
    announce();
    await settle();
    announce();
    reads.shift()?.resolve(pageOf());
    await settle();
    expect(reads).toMatchObject([{ after: 4 }]);
    reads.shift()?.resolve(pageOf(5));
    await settle();
    expect([seen, reads]).toEqual([[5], []]);
  });

  it('hands every reader only what comes after its own position', async () => {
    stored = [3, 4];
    const level = collect(await begin(4));
    const [behind, ahead] = [collect(await begin(2)), collect(await begin(6))];
    await settle();
    expect([behind, level, ahead]).toEqual([[3, 4], [], []]);
    announce();
    await settle();
    expect(reads).toMatchObject([{ after: 4 }]);
    reads.shift()?.resolve(pageOf(5, 6, 7, 8));
    await settle();
    expect([behind, level, ahead]).toEqual([
      [3, 4, 5, 6, 7, 8],
      [5, 6, 7, 8],
      [7, 8],
    ]);
  });

  it('is not moved by a late answer to a reader who has left', async () => {
    const gone = new EventReader(source, tailer, at(4), { own: null, all: { types: null } });
    const started = gone.start();
    const late = ends.shift();
    gone.stop();
    const seen = collect(await begin(4));
    await settle();
    late?.resolve(at(9));
    await started;
    announce();
    await settle();
    expect(reads).toMatchObject([{ after: 4 }]);
    reads.shift()?.resolve(pageOf(5));
    await settle();
    expect(seen).toEqual([5]);
  });
});
