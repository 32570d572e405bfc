import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { Webhook as Verifier } from 'standardwebhooks';
import type { TestApp } from '../app/test-app.js';
import { until } from '../app/until.js';
import type { TestDatabase } from '../database/test-database.js';
import { StubUpstream } from '../http/stub-upstream.js';

export interface WebhookBody {
  readonly id: string;
  readonly url: string;
  readonly types: string[];
  readonly status: string;
  readonly paused_reason: string | null;
  readonly version: number;
  readonly secret: string;
}

export interface AttemptBody {
  readonly at: string;
  readonly status: number | null;
  readonly duration_ms: number;
  readonly error?: string;
  readonly response?: string;
}

export interface DeliveryBody {
  readonly id: string;
  readonly event_id: string;
  readonly type: string;
  readonly position: string;
  readonly status: string;
  readonly attempts: AttemptBody[];
  readonly next_attempt_at: string | null;
}

/** An event as a receiver gets it. */
export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly position: string;
  readonly data: Record<string, unknown> | null;
}

export interface ReceivedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  readonly text: string;
  readonly event: ReceivedEvent;
}

type Answer = (response: ServerResponse, request: ReceivedRequest) => void;

const ok: Answer = (response) => void response.writeHead(204).end();

/** A receiver of webhooks on this machine, which keeps all requests and answers as it is told. */
export class Receiver {
  readonly requests: ReceivedRequest[] = [];
  answer: Answer = ok;

  private constructor(private readonly upstream: StubUpstream) {}

  static async open(): Promise<Receiver> {
    const receiver: Receiver = new Receiver(
      await StubUpstream.start((request, response) => {
        const pieces: Buffer[] = [];
        request.on('data', (piece: Buffer) => pieces.push(piece));
        request.on('end', () => {
          const text = Buffer.concat(pieces).toString();
          const { headers, url: path = '' } = request;
          const received = { headers, path, text, event: JSON.parse(text) as ReceivedEvent };
          receiver.requests.push(received);
          receiver.answer(response, received);
        });
      }),
    );
    return receiver;
  }

  get url(): string {
    return `${this.upstream.url}/hook`;
  }

  get events(): ReceivedEvent[] {
    return this.requests.map(({ event }) => event);
  }

  /** The largest number of requests that were in progress at once. */
  get maxInProgress(): number {
    return this.upstream.mostAtOnce;
  }

  /** Returns the events about one subject in the order in which they came. */
  about(subject: string): ReceivedEvent[] {
    return this.events.filter((event) => event.subject === subject);
  }

  /** Accepts connections, after `close` on the same port as before. */
  listen(): Promise<void> {
    return this.upstream.start();
  }

  /** Cuts all connections and refuses new ones. */
  close(): Promise<void> {
    return this.upstream.stop();
  }
}

/** Throws unless the request is signed with the secret, in the words of the public library. */
export function verify({ headers, text }: ReceivedRequest, secret: string): unknown {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  const signed = Object.fromEntries(names.map((name) => [name, String(headers[name])]));
  return new Verifier(secret).verify(text, signed);
}

export async function createWebhook(app: TestApp, url: string, types: string[]): Promise<WebhookBody> {
  const answer = await app.as(app.admin, 'post', '/api/webhooks').send({ url, types });
  if (answer.status !== 201) throw new Error(`creating a webhook answered ${answer.status}: ${answer.text}`);
  return answer.body as WebhookBody;
}

/** Returns the newest deliveries of a webhook, up to a hundred. */
export async function deliveriesOf(app: TestApp, id: string): Promise<DeliveryBody[]> {
  const answer = await app.as(app.admin, 'get', `/api/webhooks/${id}/deliveries?limit=100`);
  if (answer.status !== 200) throw new Error(`the deliveries answered ${answer.status}: ${answer.text}`);
  return answer.body as DeliveryBody[];
}

/** Makes the retries of all webhooks due, so that a test does not wait for hours. Skips what is being changed. */
export async function makeRetriesDue(database: TestDatabase): Promise<void> {
  await database.query(
    `UPDATE webhook_deliveries SET next_attempt_at = now() - interval '1 second' WHERE id IN (
       SELECT id FROM webhook_deliveries WHERE status = 'pending' AND next_attempt_at > now() FOR UPDATE SKIP LOCKED)`,
  );
  await database.query(
    `UPDATE webhook_lanes AS lane SET due_at = now() - interval '1 second'
     FROM (SELECT webhook_id, subject FROM webhook_lanes WHERE due_at > now() FOR UPDATE SKIP LOCKED) AS waiting
     WHERE (lane.webhook_id, lane.subject) = (waiting.webhook_id, waiting.subject)`,
  );
}

const PATIENCE_MS = 60_000;

/** Waits until all deliveries of a webhook have this status, and returns them, newest first. */
export async function allBecome(app: TestApp, { id }: WebhookBody, status: string): Promise<DeliveryBody[]> {
  let found: DeliveryBody[] = [];
  const have = async () => {
    found = await deliveriesOf(app, id);
    return found.length > 0 && found.every((each) => each.status === status);
  };
  await until(have, PATIENCE_MS, `all deliveries are ${status}`);
  return found;
}

/** Waits until the newest delivery of a webhook has this many attempts, and returns it. */
export async function attempted(app: TestApp, { id }: WebhookBody, count: number): Promise<DeliveryBody> {
  let newest: DeliveryBody | undefined;
  const have = async () => {
    [newest] = await deliveriesOf(app, id);
    return newest?.attempts.length === count;
  };
  await until(have, PATIENCE_MS, `${count} attempts`);
  if (!newest) throw new Error('there is no delivery');
  return newest;
}
