import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { json, text } from 'node:stream/consumers';
import { CliError, EXIT_CODES } from './cli.error.js';

/**
 * The time in ms after which a silent connection counts as dead. A stream sends rows, or a comment every 30
 * s.
 */
const IDLE_TIMEOUT_MS = 120_000;
/** The maximum number of characters shown of an unparsed error response. */
const MAX_ERROR_TEXT = 500;

export interface Credentials {
  readonly token?: string | undefined;
  readonly email?: string | undefined;
  readonly password?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

export interface ApiRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** The request body as a stream, instead of `body`. */
  readonly stream?: Readable;
}

/** Calls the service's public API with the given credentials. */
export class ApiClient {
  private tokens: Tokens | null = null;

  constructor(
    private readonly url: URL,
    private readonly credentials: Credentials,
  ) {}

  /**
   * Sends a request and parses the JSON response.
   * @throws CliError when the service refuses it or cannot be reached
   */
  async json<T>(request: ApiRequest): Promise<T> {
    const body = await text(await this.stream(request));
    return (body === '' ? undefined : JSON.parse(body)) as T;
  }

  /** Fetches one page of a list, with the path of the next page (RFC 8288). */
  async page<T>(path: string): Promise<Page<T>> {
    const answer = await this.stream({ path });
    const [, next = null] = /<([^>]+)>; rel="next"/.exec(String(answer.headers.link)) ?? [];
    return { items: (await json(answer)) as T[], next };
  }

  /** Returns the ETag of a record as the service sent it. @throws CliError when the response has none */
  async etag(path: string): Promise<string> {
    const answer = await this.stream({ path });
    answer.resume();
    const { etag } = answer.headers;
    if (etag === undefined) throw new CliError(`the service returned no ETag for ${path}`, EXIT_CODES.failed);
    return etag;
  }

  /** Sends a request and returns the response as a stream. On 401, refreshes the tokens and retries once. */
  async stream(request: ApiRequest): Promise<IncomingMessage> {
    const answer = await this.send(request, await this.accessToken());
    if (answer.statusCode !== 401 || !this.tokens || request.stream) return assertAccepted(answer);
    answer.resume();
    await this.refresh(this.tokens);
    return assertAccepted(await this.send(request, await this.accessToken()));
  }

  /** Ends the session that this client opened. */
  async signOut(): Promise<void> {
    if (!this.tokens) return;
    const { access_token: token } = this.tokens;
    this.tokens = null;
    (await this.send({ method: 'POST', path: '/api/auth/logout' }, token)).resume();
  }

  private async accessToken(): Promise<string> {
    const { token, email, password } = this.credentials;
    if (token !== undefined) return token;
    if (email === undefined || password === undefined) {
      throw new CliError('set GATEHOUSE_TOKEN, or pass --email and set GATEHOUSE_PASSWORD', EXIT_CODES.usage);
    }
    this.tokens ??= await this.requestTokens('/api/auth/login', { email, password });
    return this.tokens.access_token;
  }

  private async refresh({ refresh_token }: Tokens): Promise<void> {
    this.tokens = await this.requestTokens('/api/auth/refresh', { refresh_token });
  }

  private async requestTokens(path: string, body: object): Promise<Tokens> {
    return (await json(
      await assertAccepted(await this.send({ method: 'POST', path, body }, null)),
    )) as Tokens;
  }

  private send({ method = 'GET', path, headers, body, stream }: ApiRequest, token: string | null) {
    const sent = body && JSON.stringify(body);
    const request = this.url.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise<IncomingMessage>((resolve, reject) => {
      const fail = (cause: unknown) => {
        if (cause instanceof CliError) return reject(cause);
        const reason = cause instanceof Error ? cause.message : String(cause);
        return reject(
          new CliError(`${this.url.origin} could not be reached: ${reason}`, EXIT_CODES.unreachable, {
            cause,
          }),
        );
      };
      const outgoing = request(new URL(path, this.url), {
        method,
        headers: {
          ...(token !== null && { Authorization: `Bearer ${token}` }),
          ...(sent !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': String(Buffer.byteLength(sent)),
          }),
          ...headers,
        },
      });
      outgoing.setTimeout(IDLE_TIMEOUT_MS, () =>
        outgoing.destroy(new Error('no data received for too long')),
      );
      outgoing.once('response', resolve).once('error', fail);
      if (stream) pipeline(stream, outgoing).catch(fail);
      else outgoing.end(sent);
    });
  }
}

/** Returns a successful response. @throws CliError with the service's error message otherwise */
async function assertAccepted(answer: IncomingMessage): Promise<IncomingMessage> {
  const { statusCode: status = 0 } = answer;
  if (status < 400) return answer;
  const body = await text(answer);
  const code = status === 401 || status === 403 ? EXIT_CODES.refused : EXIT_CODES.failed;
  throw new CliError(messageOf(body, status), status >= 500 ? EXIT_CODES.unreachable : code);
}

function messageOf(body: string, status: number): string {
  try {
    const { error } = JSON.parse(body) as { error: { code: string; message: string; request_id: string } };
    return `${error.code}: ${error.message} (request ${error.request_id})`;
  } catch {
    return `the service answered ${status}: ${body.slice(0, MAX_ERROR_TEXT)}`;
  }
}
