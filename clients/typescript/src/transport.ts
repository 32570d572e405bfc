import { errorOf, retryAfterOf, unreachable } from './errors.js';
import { backoff, pause } from './pause.js';
import type { Session } from './session.js';

export interface TransportOptions {
  /** The function that sends requests; by default the `fetch` of the platform. */
  readonly fetch?: typeof fetch;
  /** The time in ms within which an attempt must be answered. By default 35,000, because the service itself gives up after 30 s. */
  readonly timeoutMs?: number;
  /** The number of further attempts after a failure that may pass. By default 3. */
  readonly maxRetries?: number;
  /** The longest `Retry-After` in seconds that is waited for; after a longer one the call fails at once. By default 60. */
  readonly maxRetryAfter?: number;
}

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;
const KEY_HEADER = 'Idempotency-Key';
/** The paths whose POST ignores `Idempotency-Key`. */
const WITHOUT_KEY = /\/api\/(?:auth\/|notifications\/tickets$)/;

/** Limits of one request that differ from those of the client. */
export interface SendOptions {
  readonly timeoutMs?: number;
  /** True for a body without an end, which `timeoutMs` must not cut off. */
  readonly isStream?: boolean;
  /** True if the request may be repeated although its first attempt may have taken effect. */
  readonly isRepeatable?: boolean;
  /** The time in ms after which no other attempt begins. By default only their number is limited. */
  readonly retryWithinMs?: number;
}

/** Sends requests: renews refused tokens, adds idempotency keys, and repeats what may be repeated. */
export class Transport {
  /** Null until the session, which sends its own requests, is known. */
  session: Session | null = null;
  private readonly fetch: typeof fetch;
  private readonly timeoutMs: number;
  private readonly maxRetries: number;
  private readonly maxRetryAfter: number;

  constructor(options: TransportOptions) {
    // A browser refuses to call its `fetch` as a method of another object.
    this.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.timeoutMs = options.timeoutMs ?? 35_000;
    this.maxRetries = options.maxRetries ?? 3;
    this.maxRetryAfter = options.maxRetryAfter ?? 60;
  }

  /**
   * Sends a request that holds its access token already, if it needs one. Returns the response whatever its status.
   * @throws GatehouseError `UNREACHABLE`, or the reason of the request's signal
   */
  async send(request: Request, options: SendOptions = {}): Promise<Response> {
    const keyed = withKey(request);
    const response = await this.sendPatiently(keyed, options);
    const used = /^Bearer (.+)$/.exec(keyed.headers.get('Authorization') ?? '')?.[1];
    if (used === undefined || !this.session || !isTokenRefused(response)) return response;
    const token = await this.session.replace(used);
    if (token === null || token === used) return response;
    await response.body?.cancel();
    const headers = new Headers(keyed.headers);
    headers.set('Authorization', `Bearer ${token}`);
    return this.sendPatiently(keyed, options, headers);
  }

  /** Sends a request and returns its successful response. @throws GatehouseError for any other */
  async sendAccepted(request: Request, options: SendOptions = {}): Promise<Response> {
    const response = await this.send(request, options);
    if (response.ok) return response;
    throw errorOf(response, parsed(await response.text().catch(unreachable)));
  }

  private async sendPatiently(
    request: Request,
    options: SendOptions,
    headers: Headers = request.headers,
  ): Promise<Response> {
    const { isRepeatable = isSafe(request) || headers.has(KEY_HEADER) } = options;
    // Another attempt needs the body again.
    const body = request.body === null ? null : await request.arrayBuffer();
    const deadline = performance.now() + (options.retryWithinMs ?? Infinity);
    let mayStillRun = false;
    for (let attempt = 0; ; attempt++) {
      // A stream is opened again by its reader.
      const isLast = options.isStream === true || attempt >= this.maxRetries;
      const spreadMs = backoff(attempt, FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
      const isTooLate = (pauseMs: number) => performance.now() + pauseMs > deadline;
      try {
        const response = await this.attempt(request, { method: request.method, headers, body }, options);
        const pauseMs = this.pauseAfter(response, mayStillRun) + spreadMs;
        if (isLast || pauseMs === Infinity || isTooLate(pauseMs)) return response;
        await response.body?.cancel();
        await pause(pauseMs, request.signal);
      } catch (error) {
        request.signal.throwIfAborted();
        if (isLast || !isRepeatable || isTooLate(spreadMs)) throw unreachable(error);
        mayStillRun = true;
        await pause(spreadMs, request.signal);
      }
    }
  }

  /** Returns the pause in ms that the service asks for, without end if the response is final. */
  private pauseAfter(response: Response, mayStillRun: boolean): number {
    const { status } = response;
    // The first attempt of a request with a key may still run.
    const waits = status === 429 || status === 503 || (mayStillRun && status === 409);
    const seconds = retryAfterOf(response);
    return waits && seconds !== null && seconds <= this.maxRetryAfter ? seconds * 1000 : Infinity;
  }

  private async attempt(
    { url, signal, credentials, cache, mode, redirect }: Request,
    { method, headers, body }: { method: string; headers: Headers; body: ArrayBuffer | null },
    { timeoutMs = this.timeoutMs, isStream = false }: SendOptions,
  ): Promise<Response> {
    const sent = (late: AbortSignal) =>
      this.fetch(
        new Request(url, {
          method,
          headers,
          body,
          credentials,
          cache,
          mode,
          redirect,
          signal: AbortSignal.any([signal, late]),
        }),
      );
    if (!isStream) return sent(AbortSignal.timeout(timeoutMs));
    // Limits the time until the head only.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`no response within ${timeoutMs} ms`)), timeoutMs);
    try {
      return await sent(late.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Returns the request with an idempotency key, which all of its attempts share, if the service reads one. */
function withKey(request: Request): Request {
  const isKeyed = request.method === 'POST' && !WITHOUT_KEY.test(new URL(request.url).pathname);
  if (!isKeyed || request.headers.has(KEY_HEADER)) return request;
  const keyed = new Request(request);
  keyed.headers.set(KEY_HEADER, randomKey());
  return keyed;
}

/** Returns 128 random bits. `crypto.randomUUID` is absent on pages without TLS. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const isSafe = ({ method }: Request): boolean => method === 'GET' || method === 'HEAD';

const isTokenRefused = ({ status, headers }: Response): boolean =>
  status === 401 && headers.get('WWW-Authenticate')?.includes('invalid_token') === true;

/** Returns the JSON of a text; the text itself if it is none. */
function parsed(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return text;
  }
}
