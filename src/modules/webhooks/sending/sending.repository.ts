import { Injectable } from '@nestjs/common';
import type { EventPosition } from '../../../common/event-position.js';
import { prepared } from '../../../platform/database/driver/statements/prepared.js';
import { SqlRunner } from '../../../platform/database/sql.runner.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import type { DeliveryStatus, StoredAttempt } from '../deliveries/delivery.entity.js';

/** A webhook that this instance sends to. */
export interface HeldWebhook {
  readonly id: string;
  readonly url: string;
  /** True unless the webhook is paused or deleted. */
  readonly active: boolean;
  /** The secrets that sign, the current one first, encrypted with the master key. */
  readonly secrets: readonly Buffer[];
}

/** A delivery to send. */
export interface DueDelivery {
  readonly id: string;
  readonly eventId: string;
  readonly position: EventPosition;
  /** The number of attempts before. */
  readonly tries: number;
  /** The time from which it was due. A redelivery changes it. */
  readonly dueAt: string;
}

/** The next deliveries of a lane that are due, in order. */
export interface DueLane {
  readonly subject: string;
  /** The state of the lane when it was read. */
  readonly mark: string;
  readonly deliveries: readonly DueDelivery[];
  /** True if these are all pending deliveries of the lane. */
  readonly complete: boolean;
  /** The pause in seconds until the first one is due; null if it is due. */
  readonly waitSeconds: number | null;
}

/** The outcome of one attempt. */
export interface Outcome {
  readonly id: string;
  /** The time from which the delivery was due when it was read. */
  readonly dueAt: string;
  readonly status: DeliveryStatus;
  readonly tries: number;
  /** The pause in seconds before the next attempt; null if there is none. */
  readonly pause: number | null;
  readonly attempt: StoredAttempt;
  /** The encrypted beginning of the response. */
  readonly response: Buffer | null;
}

/** The state of a lane after its deliveries were sent. */
export interface LaneOutcome {
  readonly subject: string;
  readonly mark: string;
  /** The pause in seconds before the next attempt; null if the lane has nothing left, as far as its sender knows. */
  readonly pause: number | null;
}

export interface Wanted {
  readonly lanes: number;
  readonly deliveriesPerLane: number;
  /** The subjects of lanes that are being sent. */
  readonly except: readonly string[];
}

interface DueRow extends EventPosition {
  readonly subject: string;
  readonly mark: string;
  /** Null in a lane without pending deliveries. */
  readonly id: string | null;
  readonly eventId: string;
  readonly tries: number;
  readonly dueAt: string;
  readonly wait: number | null;
}

const HELD = `
  id, url, status = 'active' AND deleted_at IS NULL AS active,
  ARRAY(SELECT secret_sealed FROM webhook_secrets
        WHERE webhook_id = webhooks.id AND (expires_at IS NULL OR expires_at > clock_timestamp())
        ORDER BY created_at DESC, id DESC) AS secrets`;

/**
 * An outcome that a crash of the database loses is only sent again. The plans are fixed because the statistics of a queue are
 * those of another time: after a quiet hour PostgreSQL would read all lanes to find the fifty that it gets.
 */
const SETTINGS = prepared(`
  SELECT set_config(name, 'off', true) FROM unnest(ARRAY[
    'synchronous_commit', 'enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin']) AS name`);

const FIND_DUE = prepared(`
  SELECT lane.subject, lane.mark::text, delivery.*
  FROM (
    SELECT subject, mark, due_at FROM webhook_lanes
    WHERE webhook_id = $1 AND due_at <= statement_timestamp() AND subject NOT IN (SELECT unnest($2::text[]))
    ORDER BY due_at LIMIT $3
  ) AS lane LEFT JOIN LATERAL (
    SELECT id, event_id AS "eventId", epoch, xid::text, seq::text, tries, next_attempt_at::text AS "dueAt",
           row_number() OVER (ORDER BY webhook_deliveries.epoch, webhook_deliveries.xid, webhook_deliveries.seq, id) AS place,
           extract(epoch FROM nullif(greatest(next_attempt_at - statement_timestamp(), interval '0'), interval '0'))::float8 AS wait
    FROM webhook_deliveries
    WHERE webhook_id = $1 AND webhook_deliveries.subject = lane.subject AND status = 'pending'
    ORDER BY webhook_deliveries.epoch, webhook_deliveries.xid, webhook_deliveries.seq, id LIMIT $4
  ) AS delivery ON true
  ORDER BY lane.due_at, lane.subject, delivery.place`);

/**
 * A redelivery that was accepted during the attempt wins: the attempt is only added to the log. Finds what is pending by
 * `next_attempt_at`, because a condition on the status would choose the index of all pending ones.
 */
const SETTLE = prepared(`
  UPDATE webhook_deliveries AS delivery SET
    status = CASE WHEN next_attempt_at = outcome.due_at THEN outcome.status ELSE delivery.status END,
    tries = CASE WHEN next_attempt_at = outcome.due_at THEN outcome.tries ELSE delivery.tries END,
    next_attempt_at = CASE WHEN next_attempt_at = outcome.due_at
      THEN clock_timestamp() + make_interval(secs => outcome.pause) ELSE next_attempt_at END,
    attempts = delivery.attempts || outcome.attempt, responses = array_append(delivery.responses, outcome.response)
  FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::float8[], $5::jsonb[], $6::bytea[], $7::timestamptz[])
    AS outcome (id, status, tries, pause, attempt, response, due_at)
  WHERE delivery.id = outcome.id AND delivery.next_attempt_at IS NOT NULL`);

/**
 * A lane that a writer has locked stays due and is read again. One that has got a delivery since it was read stays due as
 * well: the new one may come first in it.
 */
const SETTLE_LANES = prepared(`
  UPDATE webhook_lanes AS lane SET due_at = clock_timestamp() + make_interval(secs => outcome.pause)
  FROM unnest($2::text[], $3::bigint[], $4::float8[]) AS outcome (subject, mark, pause)
  CROSS JOIN LATERAL (
    SELECT ctid FROM webhook_lanes AS wanted
    WHERE wanted.webhook_id = $1 AND wanted.subject = outcome.subject AND wanted.mark = outcome.mark
    FOR UPDATE SKIP LOCKED
  ) AS locked
  WHERE lane.ctid = locked.ctid`);

/** The statements of the sender of deliveries. */
@Injectable()
export class SendingRepository {
  constructor(
    private readonly sql: SqlRunner,
    private readonly unitOfWork: UnitOfWork,
  ) {}

  /**
   * Claims every active webhook that has due lanes and no holder. `holder` holds it for `seconds`.
   * @param except webhooks that this instance holds
   */
  claim(holder: string, seconds: number, except: readonly string[]): Promise<HeldWebhook[]> {
    return this.sql.rows<HeldWebhook>(
      `UPDATE webhooks SET holder = $1, held_until = clock_timestamp() + make_interval(secs => $2::integer)
       WHERE id IN (
         SELECT id FROM webhooks
         WHERE status = 'active' AND deleted_at IS NULL AND id <> ALL ($3::uuid[])
           AND (held_until IS NULL OR held_until < clock_timestamp())
           AND EXISTS (SELECT FROM webhook_lanes WHERE webhook_id = webhooks.id AND due_at <= statement_timestamp())
         ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
       RETURNING ${HELD}`,
      [holder, seconds, except],
    );
  }

  /** Renews the holds and returns the webhooks that are still held, as they are now. */
  renew(holder: string, seconds: number, ids: readonly string[]): Promise<HeldWebhook[]> {
    return this.sql.rows<HeldWebhook>(
      `UPDATE webhooks SET held_until = clock_timestamp() + make_interval(secs => $2::integer)
       WHERE id = ANY ($3::uuid[]) AND holder = $1
       RETURNING ${HELD}`,
      [holder, seconds, ids],
    );
  }

  /** Gives up a hold, so that any instance may claim the webhook at once. */
  async release(holder: string, id: string): Promise<void> {
    await this.sql.execute(
      'UPDATE webhooks SET holder = NULL, held_until = NULL WHERE id = $2 AND holder = $1',
      [holder, id],
    );
  }

  /** Stores outcomes and returns the next due lanes, in one transaction. */
  exchange(
    webhookId: string,
    outcomes: readonly Outcome[],
    lanes: readonly LaneOutcome[],
    wanted: Wanted,
  ): Promise<DueLane[]> {
    return this.unitOfWork.runStatement(async () => {
      await this.sql.defer(SETTINGS);
      if (outcomes.length > 0) {
        await this.sql.defer(SETTLE, [
          outcomes.map(({ id }) => id),
          outcomes.map(({ status }) => status),
          outcomes.map(({ tries }) => tries),
          outcomes.map(({ pause }) => pause),
          outcomes.map(({ attempt }) => JSON.stringify(attempt)),
          outcomes.map(({ response }) => response),
          outcomes.map(({ dueAt }) => dueAt),
        ]);
      }
      if (lanes.length > 0) {
        await this.sql.defer(SETTLE_LANES, [
          webhookId,
          lanes.map(({ subject }) => subject),
          lanes.map(({ mark }) => mark),
          lanes.map(({ pause }) => pause),
        ]);
      }
      const { except, lanes: limit, deliveriesPerLane } = wanted;
      const rows = await this.sql.rows<DueRow>(FIND_DUE, [webhookId, except, limit, deliveriesPerLane]);
      return lanesOf(rows, deliveriesPerLane);
    });
  }
}

function lanesOf(rows: readonly DueRow[], limit: number): DueLane[] {
  const lanes = Map.groupBy(rows, ({ subject }) => subject);
  return [...lanes.values()].flatMap((ofLane) => {
    const [first] = ofLane;
    if (!first) return [];
    // One that waits after a failure holds back those behind it. A redelivery may have come before it.
    const waiting = ofLane.findIndex(({ wait }) => wait !== null);
    const due = waiting === -1 ? ofLane : ofLane.slice(0, waiting);
    const deliveries = due.flatMap(({ id, eventId, epoch, xid, seq, tries, dueAt }) =>
      id === null ? [] : [{ id, eventId, tries, dueAt, position: { epoch, xid, seq } }],
    );
    const { subject, mark, wait } = first;
    const complete = waiting === -1 && deliveries.length < limit;
    return [{ subject, mark, deliveries, complete, waitSeconds: wait }];
  });
}
