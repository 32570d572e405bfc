import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { json, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError, EXIT_CODES, usageError } from './cli.error.js';
import type { LoginStore, Tokens } from './login/login.store.js';
import { printStatus } from './output/console-output.js';
import { USER_AGENT } from './user-agent.js';

/** The time in ms after which a silent connection counts as dead. A stream sends rows, or a comment every 30 s. */
const IDLE_TIMEOUT_MS = 120_000;
/** The maximum number of characters shown of an unparsed error response. */
const MAX_ERROR_TEXT = 500;
/** The longest wait for the rate limit, in seconds, and the maximum number of waits for one request. */
const MAX_WAIT_SECONDS = 60;
const MAX_WAITS = 5;
/** The time in ms before its end at which an access token is renewed, so that it lasts for the next request. */
const RENEW_BEFORE_MS = 60_000;

export interface Credentials {
  /** An access token, for use when no address is given. */
  readonly token?: string | undefined;
  readonly email?: string | undefined;
  readonly password?: string | undefined;
  /** The tokens of earlier logins, for use when neither a token nor an address is given. */
  readonly logins?: LoginStore | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
  /** The number of rows of the whole list, if the request asked for it. */
  readonly total: { readonly count: number; readonly isExact: boolean } | null;
}

export type LogoutResult = 'ended' | 'absent' | 'damaged';

interface TokenResponse {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
}

export interface ApiRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** The request body as a stream, instead of `body`. It fails with a CliError, which tells its errors from those of the network. */
  readonly stream?: Readable;
}

/** Calls the service's public API with the given credentials. */
export class ApiClient {
  private tokens: Tokens | null = null;
  /** True if the tokens come from a login, which this client must not end. */
  private isLogin = false;
  private isEnded = false;

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
    const { 'x-total-count': exact, 'x-total-estimate': estimate } = answer.headers;
    const counted = exact ?? estimate;
    const total = counted === undefined ? null : { count: Number(counted), isExact: exact !== undefined };
    return { items: (await json(answer)) as T[], next, total };
  }

  /** Returns the ETag of a record as the service sent it. @throws CliError when the response has none */
  async etag(path: string): Promise<string> {
    const answer = await this.stream({ path });
    answer.resume();
    const { etag } = answer.headers;
    if (etag === undefined) throw new CliError(`the service returned no ETag for ${path}`, EXIT_CODES.failed);
    return etag;
  }

  /**
   * Sends a request and returns the response as a stream. On 401, refreshes the tokens and retries once. On 429, waits
   * as long as the service asks for, up to a minute.
   */
  async stream(request: ApiRequest): Promise<IncomingMessage> {
    const answer = await this.sendPatiently(request);
    if (answer.statusCode !== 401 || !this.tokens || request.stream) return assertAccepted(answer);
    answer.resume();
    await this.refresh(this.tokens);
    return assertAccepted(await this.sendPatiently(request));
  }

  /**
   * Ends the session that this client opened. Keeps that of a login. A command that was abandoned cannot sign in again
   * afterwards.
   */
  async signOut(): Promise<void> {
    this.isEnded = true;
    if (!this.tokens || this.isLogin) return;
    const { access_token: token } = this.tokens;
    this.tokens = null;
    (await this.send({ method: 'POST', path: '/api/auth/logout' }, token)).resume();
  }

  /** Signs in and keeps the tokens for later commands. Ends the session of the login that it replaces, if it can. */
  async logIn(email: string, password: string): Promise<void> {
    const tokens = await this.requestTokens('/api/auth/login', { email, password });
    const replaced = await this.credentials.logins?.save(this.url.origin, tokens);
    if (replaced) await this.endSession(replaced).catch(() => {});
  }

  /** Ends the session of the login and forgets its tokens. A damaged file of logins is removed, which ends no session. */
  async logOut(): Promise<LogoutResult> {
    const { logins } = this.credentials;
    if (await logins?.isDamaged()) {
      await logins?.removeDamaged();
      return 'damaged';
    }
    const found = await logins?.find(this.url.origin);
    if (!logins || !found) return 'absent';
    this.isLogin = true;
    try {
      const { access_token: token } = await this.renewed(found);
      await assertAccepted(await this.send({ method: 'POST', path: '/api/auth/logout' }, token));
    } catch (error) {
      // The session may have ended long ago.
      if (!isRefusal(error)) throw error;
    }
    await logins.remove(this.url.origin);
    return 'ended';
  }

  /** Ends a session that is not that of the saved login. */
  private async endSession(tokens: Tokens): Promise<void> {
    const { refresh_token } = tokens;
    const { access_token } = isAboutToExpire(tokens)
      ? await this.requestTokens('/api/auth/refresh', { refresh_token })
      : tokens;
    (await this.send({ method: 'POST', path: '/api/auth/logout' }, access_token)).resume();
  }

  private async sendPatiently(request: ApiRequest): Promise<IncomingMessage> {
    for (let waits = 0; ; waits++) {
      const answer = await this.send(request, await this.accessToken());
      const seconds = Number(answer.headers['retry-after'] ?? Infinity);
      const isLimited = answer.statusCode === 429 && seconds <= MAX_WAIT_SECONDS;
      if (!isLimited || waits === MAX_WAITS || request.stream) return answer;
      answer.resume();
      printStatus(`the rate limit is reached, waiting ${seconds} s`);
      await sleep(seconds * 1000);
    }
  }

  private async accessToken(): Promise<string> {
    if (this.isEnded) throw new CliError('the command has ended', EXIT_CODES.failed);
    const { token, email, password } = this.credentials;
    if (token !== undefined && email === undefined) return token;
    if (email === undefined) return (await this.loginTokens()).access_token;
    if (password === undefined) throw usageError('--email requires GATEHOUSE_PASSWORD');
    this.tokens ??= await this.requestTokens('/api/auth/login', { email, password });
    return this.tokens.access_token;
  }

  private async loginTokens(): Promise<Tokens> {
    const found = this.tokens ?? (await this.credentials.logins?.find(this.url.origin));
    if (!found) throw await this.notSignedIn();
    this.isLogin = true;
    this.tokens = found;
    return this.renewed(found);
  }

  private async notSignedIn(): Promise<CliError> {
    const others = (await this.credentials.logins?.origins()) ?? [];
    const where = `${this.url.origin}${others.length > 0 ? `, but to ${others.join(', ')}` : ''}`;
    return usageError(
      `not signed in to ${where}: sign in with gatehouse login, set GATEHOUSE_TOKEN, or pass --email and set GATEHOUSE_PASSWORD`,
    );
  }

  /** Renews the tokens if they are about to expire. */
  private async renewed(tokens: Tokens): Promise<Tokens> {
    return isAboutToExpire(tokens) ? this.refresh(tokens) : tokens;
  }

  private async refresh({ refresh_token }: Tokens): Promise<Tokens> {
    try {
      this.tokens = await this.requestTokens('/api/auth/refresh', { refresh_token });
    } catch (error) {
      if (!this.isLogin || !isRefusal(error)) throw error;
      throw new CliError('the login has ended: sign in again with gatehouse login', EXIT_CODES.refused, {
        cause: error,
      });
    }
    if (this.isLogin) await this.credentials.logins?.save(this.url.origin, this.tokens);
    return this.tokens;
  }

  private async requestTokens(path: string, body: object): Promise<Tokens> {
    const answer = await assertAccepted(await this.send({ method: 'POST', path, body }, null));
    const { access_token, refresh_token, expires_in } = (await json(answer)) as TokenResponse;
    return { access_token, refresh_token, expires_at: Date.now() + expires_in * 1000 };
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
          'User-Agent': USER_AGENT,
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

const isAboutToExpire = ({ expires_at: end }: Tokens): boolean => end - Date.now() <= RENEW_BEFORE_MS;

const isRefusal = (error: unknown): boolean =>
  error instanceof CliError && error.exitCode === EXIT_CODES.refused;

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
