import { setTimeout as sleep } from 'node:timers/promises';
import type { EventPosition } from '../../../common/event-position.js';
import { formatPosition } from '../../../common/event-position.js';
import type { StoredEvent } from '../../../platform/event-store/event-store.js';
import type { AttemptResult, Target } from './delivery.sender.js';
import { pauseAfter } from './retry-schedule.js';
import type { DueDelivery, DueLane, LaneOutcome, Outcome, Wanted } from './sending.repository.js';

/** The number of requests in progress to one webhook. */
export const MAX_IN_FLIGHT = 10;
/** The number of lanes that are read ahead, and of deliveries in each of them. */
const MAX_LANES = 200;
const DELIVERIES_PER_LANE = 4;
/**
 * The number of outcomes that are stored together while all requests are in progress, and the time in ms that they wait
 * for others. A transaction for each costs more than the request.
 */
const MAX_GATHERED = 50;
const GATHER_MS = 100;
/** The pause in seconds after an attempt that was not sent. */
const UNSENT_PAUSE = 1;
/** The pause in ms after the database failed, and after nothing but lanes that wait were found. */
const RETRY_MS = 500;
const LOCKED_MS = 20;

/** The parts of the service that a runner needs. */
export interface RunnerPorts {
  exchange(outcomes: readonly Outcome[], lanes: readonly LaneOutcome[], wanted: Wanted): Promise<DueLane[]>;
  findEvents(positions: readonly EventPosition[]): Promise<StoredEvent[]>;
  send(event: StoredEvent, target: Target, signal: AbortSignal): Promise<AttemptResult>;
  encryptResponse(deliveryId: string, subject: string, body: Buffer): Promise<Buffer | null>;
  /** Pauses the webhook, because its receiver is gone. */
  pause(): Promise<void>;
  count(outcome: 'delivered' | 'failed' | 'dead'): void;
  logFailure(error: unknown): void;
}

type ReadyLane = DueLane & { readonly events: ReadonlyMap<string, StoredEvent> };

/**
 * Sends the due deliveries of one webhook while this instance holds it. Each lane is sent in order, at most
 * {@link MAX_IN_FLIGHT} lanes at once. Outcomes are stored together with the look-up of the next lanes. The deliveries whose
 * outcomes are lost are sent again.
 */
export class EndpointRunner {
  private readonly ready: ReadyLane[] = [];
  private readonly busy = new Set<string>();
  private outcomes: Outcome[] = [];
  private lanes: LaneOutcome[] = [];
  /** The lanes that can be read again once their outcomes are stored. */
  private ended: string[] = [];
  private active = 0;
  private ending = false;
  private readonly cancelled = new AbortController();
  private wake: () => void = () => {};
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private target: Target,
    private heldUntil: number,
    private readonly ports: RunnerPorts,
  ) {}

  /** Continues to hold the webhook until `heldUntil` (by `performance.now`), with its current target. */
  renew(target: Target, heldUntil: number): void {
    this.target = target;
    this.heldUntil = heldUntil;
  }

  /** Starts no more requests. `run` ends once those in progress have. */
  end(): void {
    this.ending = true;
    this.ready.length = 0;
    this.wake();
  }

  /** Ends and cancels the requests in progress. */
  cancel(): void {
    this.end();
    this.cancelled.abort();
  }

  /** Sends until nothing is due or `end` is called. Never rejects. */
  async run(): Promise<void> {
    for (;;) {
      const changed = new Promise<void>((resolve) => (this.wake = resolve));
      const found = await this.exchange();
      this.start();
      if (this.isLost) this.cancel();
      const stored = this.outcomes.length === 0 && this.lanes.length === 0;
      if (this.active === 0 && (this.isLost || (stored && (this.ending || !found)))) return;
      if (this.active === 0 || (!stored && !this.isLost && this.mayNotWait)) continue;
      if (!stored) this.gather();
      await changed;
    }
  }

  /** Looks for lanes that have become due. */
  look(): void {
    this.wake();
  }

  /** True once another instance may hold the webhook. */
  private get isLost(): boolean {
    return performance.now() >= this.heldUntil;
  }

  /** True if other lanes could be sent meanwhile, or if enough outcomes wait. */
  private get mayNotWait(): boolean {
    return this.active < MAX_IN_FLIGHT || this.outcomes.length >= MAX_GATHERED;
  }

  /** Lets `run` continue, now or after others have added their outcomes. */
  private gather(): void {
    if (this.mayNotWait) this.wake();
    else this.timer ??= setTimeout(() => this.wake(), GATHER_MS);
  }

  /** Stores what there is to store and looks for lanes if there is room. @returns true if lanes were found */
  private async exchange(): Promise<boolean> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { outcomes, lanes, ended } = this;
    const enough = this.ready.length >= MAX_LANES / 2;
    const room = this.ending || enough ? 0 : MAX_LANES - this.ready.length;
    if (outcomes.length === 0 && lanes.length === 0 && room === 0) return false;
    this.outcomes = [];
    this.lanes = [];
    this.ended = [];
    for (const subject of ended) this.busy.delete(subject);
    const wanted = { lanes: room, deliveriesPerLane: DELIVERIES_PER_LANE, except: [...this.busy] };
    try {
      const due = await this.ports.exchange(outcomes, lanes, wanted);
      const sendable = await this.prepare(due);
      // A lane that a writer holds is found again until the writer has ended.
      if (due.length > 0 && sendable === 0 && outcomes.length === 0) await sleep(LOCKED_MS);
      return due.length > 0;
    } catch (error) {
      this.outcomes.unshift(...outcomes);
      this.lanes.unshift(...lanes);
      this.ended.unshift(...ended);
      for (const subject of ended) this.busy.add(subject);
      this.ports.logFailure(error);
      await sleep(RETRY_MS);
      return true;
    }
  }

  /** Takes lanes in. One that only waits, or has nothing left, is settled at once. @returns the number of lanes to send */
  private async prepare(due: readonly DueLane[]): Promise<number> {
    const sendable = due.filter(
      ({ deliveries, waitSeconds }) => deliveries.length > 0 && waitSeconds === null,
    );
    const positions = sendable.flatMap(({ deliveries }) => deliveries.map(({ position }) => position));
    const events = positions.length === 0 ? [] : await this.ports.findEvents(positions);
    const byPosition = new Map(events.map((event) => [formatPosition(event.position), event]));
    for (const lane of due) {
      this.busy.add(lane.subject);
      if (sendable.includes(lane) && !this.ending) this.ready.push({ ...lane, events: byPosition });
      else this.leave(lane, sendable.includes(lane) ? undefined : lane.waitSeconds);
    }
    return sendable.length;
  }

  private start(): void {
    while (this.active < MAX_IN_FLIGHT && !this.ending) {
      const lane = this.ready.shift();
      if (!lane) return;
      this.active++;
      void this.sendLane(lane)
        .catch((error: unknown) => {
          this.ports.logFailure(error);
          this.leave(lane, UNSENT_PAUSE);
        })
        .finally(() => {
          this.active--;
          this.start();
          this.gather();
        });
    }
  }

  private async sendLane(lane: ReadyLane): Promise<void> {
    for (const delivery of lane.deliveries) {
      if (this.ending || this.isLost) return this.leave(lane, undefined);
      const pause = await this.sendOne(lane, delivery);
      if (pause !== null) return this.leave(lane, pause);
      this.gather();
    }
    this.leave(lane, lane.complete ? null : undefined);
  }

  /** @returns the pause in seconds before the lane may continue; null if it may continue at once */
  private async sendOne(lane: ReadyLane, delivery: DueDelivery): Promise<number | null> {
    const event = lane.events.get(formatPosition(delivery.position));
    if (!event) throw new Error(`the event ${delivery.eventId} of a delivery does not exist`);
    const result = await this.ports.send(event, this.target, this.cancelled.signal);
    if (result.kind === 'unsent') return UNSENT_PAUSE;
    const response =
      result.body && (await this.ports.encryptResponse(delivery.id, lane.subject, result.body));
    const tries = delivery.tries + 1;
    const { id, dueAt } = delivery;
    const outcome = { id, dueAt, tries, attempt: result.attempt, response };
    if (result.kind === 'delivered') {
      this.ports.count('delivered');
      this.outcomes.push({ ...outcome, status: 'delivered', pause: null });
      return null;
    }
    if (result.kind === 'gone') {
      this.ports.count('failed');
      // The attempt does not count: the delivery waits until the webhook is active again.
      this.outcomes.push({ ...outcome, tries: delivery.tries, status: 'pending', pause: 0 });
      this.end();
      await this.ports.pause();
      return 0;
    }
    const pause = pauseAfter(tries);
    this.ports.count(pause === null ? 'dead' : 'failed');
    this.outcomes.push({ ...outcome, status: pause === null ? 'dead' : 'pending', pause });
    return pause;
  }

  /**
   * Ends the work on a lane. `pause` is in seconds; null closes the lane unless it has got a delivery meanwhile, and
   * undefined leaves it due.
   */
  private leave({ subject, mark }: DueLane, pause: number | null | undefined): void {
    this.ended.push(subject);
    if (pause !== undefined) this.lanes.push({ subject, mark, pause });
  }
}
