import type { KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { Cipher } from '../../../platform/crypto/cipher.service.js';
import type { StoredEvent } from '../../../platform/event-store/event-store.js';
import { OutboundHttpService } from '../../../platform/http-client/outbound-http.service.js';
import { tracing } from '../../../platform/telemetry/tracing.js';
import { toEventResponse } from '../../events/dto/event.response.js';
import type { StoredAttempt } from '../deliveries/delivery.entity.js';
import { secretPurpose } from '../webhook-secrets.service.js';
import type { HeldWebhook } from './sending.repository.js';
import { keyOfSecret, signedHeaders } from './signature.js';

const TIMEOUT_MS = 10_000;
/** The size in bytes beyond which a response counts as endless. */
const MAX_RESPONSE_BYTES = 65_536;
/** The size in bytes of the part of a response that the log keeps. */
const KEPT_RESPONSE_BYTES = 4096;
const GONE = 410;
/** The time after an event for which its deliveries belong to its trace. */
const MAX_TRACE_MS = 86_400_000;

/** The result of one attempt. `unsent` means that it was cancelled, or that the client had no room for it. */
export type AttemptResult =
  | {
      readonly kind: 'delivered' | 'failed' | 'gone';
      readonly attempt: StoredAttempt;
      readonly body: Buffer | null;
    }
  | { readonly kind: 'unsent' };

/** A webhook as its deliveries need it. */
export interface Target {
  readonly webhookId: string;
  readonly url: string;
  /** The keys that sign, the current one first. */
  readonly keys: readonly KeyObject[];
}

/** Sends events to the receivers of webhooks, signed by the rules of Standard Webhooks. */
@Injectable()
export class DeliverySender {
  private readonly envelopeOf: ReturnType<typeof toEventResponse>;

  constructor(
    @InjectConfig() config: Config,
    private readonly http: OutboundHttpService,
    private readonly cipher: Cipher,
  ) {
    this.envelopeOf = toEventResponse(config.PUBLIC_URL);
  }

  /** Decrypts what it takes to send deliveries of a webhook. */
  targetOf({ id, url, secrets }: HeldWebhook): Target {
    const keys = secrets.map((secret) =>
      keyOfSecret(this.cipher.decrypt(secret, secretPurpose(id)).toString()),
    );
    return { webhookId: id, url, keys };
  }

  /** Sends one event. Makes one request and follows no redirect. It belongs to the trace of what caused the event. */
  send(event: StoredEvent, target: Target, signal: AbortSignal): Promise<AttemptResult> {
    const { id, type } = event;
    const attributes = { 'cloudevents.event_id': id, 'cloudevents.event_type': type };
    return tracing.resume(causeOf(event), { name: `deliver ${type}`, kind: 'consumer', attributes }, () =>
      this.attempt(event, target, signal),
    );
  }

  private async attempt(event: StoredEvent, target: Target, signal: AbortSignal): Promise<AttemptResult> {
    const { webhookId, url, keys } = target;
    const body = JSON.stringify(this.envelopeOf(event));
    const now = Date.now();
    const signed = signedHeaders({ id: event.id, timestamp: Math.floor(now / 1000), body }, keys);
    const outcome = await this.http.attempt({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json', ...signed },
      body,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_RESPONSE_BYTES,
      signal,
      pool: webhookId,
    });
    const facts = { at: new Date(now).toISOString(), duration_ms: Math.round(outcome.durationMs) };
    if (!outcome.ok) {
      if (outcome.failure === 'cancelled' || outcome.failure === 'busy') return { kind: 'unsent' };
      return { kind: 'failed', attempt: { ...facts, status: null, error: outcome.message }, body: null };
    }
    const { status } = outcome;
    const error = faultOf(status);
    return {
      kind: kindOf(status),
      attempt: { ...facts, status, ...(error !== null && { error }) },
      body: outcome.body.length === 0 ? null : outcome.body.subarray(0, KEPT_RESPONSE_BYTES),
    };
  }
}

/** Returns the trace of what caused a recent event. A replay of an older one begins a trace of its own. */
const causeOf = ({ traceparent, occurredAt }: StoredEvent): string | null =>
  Date.now() - occurredAt.getTime() < MAX_TRACE_MS ? (traceparent ?? null) : null;

function kindOf(status: number): 'delivered' | 'failed' | 'gone' {
  if (status === GONE) return 'gone';
  return isSuccess(status) ? 'delivered' : 'failed';
}

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

/** Returns the reason why a response is a failure, or null for a success. */
function faultOf(status: number): string | null {
  if (isSuccess(status)) return null;
  if (status === GONE) return 'The receiver answered 410 Gone, so the webhook was paused';
  if (status >= 300 && status < 400)
    return `The receiver answered with a redirect (${status}), which is not followed`;
  return `The receiver answered ${status}`;
}
