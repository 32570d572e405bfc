import { errorOf, GatehouseError, unreachable } from './errors.js';
import { createClient } from './generated/client/index.js';
import { Operations } from './generated/sdk.gen.js';
import type {
  AuditEntryResponse,
  ChangePasswordDto,
  CreateUserDto,
  EventResponse,
  ExportAuditData,
  ExportUsersData,
  JobResponse,
  LoginDto,
  TokenResponse,
  UserResponse,
} from './generated/types.gen.js';
import { Session } from './session.js';
import { type EventStreamOptions, eventsOf } from './streams/events.js';
import { type OpenExport, rowsOf } from './streams/export.js';
import { statesOf } from './streams/job.js';
import type { StreamOptions } from './streams/resume.js';
import { memoryStore, type TokenStore, tokensOf, userIdOf } from './tokens.js';
import { Transport, type TransportOptions } from './transport.js';

export interface GatehouseOptions extends TransportOptions {
  /** The address of the service, such as `https://accounts.example.com`. */
  readonly baseUrl: string;
  /** The place of the tokens; by default the memory of this object. */
  readonly store?: TokenStore;
}

/** The operations whose results the client itself keeps or reads piece by piece. {@link Gatehouse} has methods for them. */
type Covered =
  | 'login'
  | 'refresh'
  | 'logout'
  | 'changePassword'
  | 'exportUsers'
  | 'exportAudit'
  | 'streamJob'
  | 'streamEvents'
  | 'streamOwnEvents';

/** Every other operation of the service under the name that it has in the OpenAPI document. */
export type Api = Omit<Operations, Covered>;

/** The filters and `fields` of an export. The client chooses the format and resumes. */
type ExportQuery<Sent> = Omit<NonNullable<Sent>, 'format' | 'after' | 'received'>;
export type ExportUsersQuery = ExportQuery<ExportUsersData['query']>;
export type ExportAuditQuery = ExportQuery<ExportAuditData['query']>;

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/**
 * Limits of a renewal. The first attempt may have spent the refresh token although its response was lost, and the service
 * takes one that it gets later than 10 s after that for stolen.
 */
const RENEWAL = { timeoutMs: 4_000, retryWithinMs: 8_000, isRepeatable: true } as const;

/** A client of one service, for one user at a time. */
export class Gatehouse {
  readonly api: Api;
  /** The address of the service without a slash at its end. */
  private readonly baseUrl: string;
  private readonly transport: Transport;
  private readonly operations: Operations;
  private readonly session: Session;

  constructor({ baseUrl, store = memoryStore(), ...options }: GatehouseOptions) {
    this.baseUrl = baseUrl.replace(/\/+$/, '');
    this.transport = new Transport(options);
    this.session = new Session(store, async (refreshToken) => tokensOf(await this.refresh(refreshToken)));
    this.transport.session = this.session;
    const client = createClient({
      baseUrl: this.baseUrl,
      throwOnError: true,
      fetch: (input, init) => this.transport.send(new Request(input, init)),
      auth: async () => (await this.session.accessToken()) ?? undefined,
    });
    client.interceptors.error.use((error, response, request: Request | undefined) => {
      if (request?.signal.aborted) return request.signal.reason as unknown;
      if (GatehouseError.is(error)) return error;
      return response && !response.ok ? errorOf(response, error) : unreachable(error);
    });
    this.operations = new Operations({ client });
    this.api = this.operations;
  }

  /** Registers a user and signs in. */
  async signUp(body: CreateUserDto & { readonly password: string }): Promise<UserResponse> {
    const { data } = await this.operations.createUser({ body });
    await this.signIn({ email: body.email, password: body.password });
    return data;
  }

  async signIn(body: LoginDto): Promise<void> {
    const { data } = await this.operations.login({ body });
    await this.session.start(tokensOf(data));
  }

  /** Ends the session, and forgets its tokens even if the service cannot be reached. */
  async signOut(): Promise<void> {
    try {
      if (await this.isSignedIn()) await this.operations.logout();
    } catch (error) {
      // The session has ended before.
      if (!GatehouseError.is(error, 'UNAUTHORIZED')) throw error;
    } finally {
      await this.session.end();
    }
  }

  /** Returns true if the client has tokens. The service may have ended their session. */
  async isSignedIn(): Promise<boolean> {
    return this.session.isStarted();
  }

  /** Changes the password, which ends every session of the user, and continues in a new one. */
  async changePassword(body: ChangePasswordDto): Promise<void> {
    const { data } = await this.operations.changePassword({ body });
    await this.session.start(tokensOf(data));
  }

  /**
   * Sends a request of your own to the service, such as the upload of a file, with the access token. Keeps its body in
   * memory, to repeat it.
   * @throws GatehouseError unless the response is successful
   */
  async fetch(
    path: string,
    init: RequestInit = {},
    { timeoutMs }: Pick<TransportOptions, 'timeoutMs'> = {},
  ): Promise<Response> {
    const request = await this.authorized(path, init);
    return this.transport.sendAccepted(request, timeoutMs === undefined ? {} : { timeoutMs });
  }

  /** Yields each user of an export once. Continues after a lost connection in the same snapshot. */
  exportUsers(
    query: ExportUsersQuery = {},
    options: StreamOptions = {},
  ): AsyncGenerator<Partial<UserResponse>> {
    return rowsOf(this.openExport('/api/export/users', query, options), options);
  }

  /** Yields each audit entry of an export once. Continues after a lost connection in the same snapshot. */
  exportAudit(
    query: ExportAuditQuery = {},
    options: StreamOptions = {},
  ): AsyncGenerator<Partial<AuditEntryResponse>> {
    return rowsOf(this.openExport('/api/export/audit', query, options), options);
  }

  /** Yields the current state of a job and each later one, until it has ended. Continues after a lost connection. */
  followJob(id: string, options: StreamOptions = {}): AsyncGenerator<JobResponse> {
    const path = `/api/jobs/${encodeURIComponent(id)}/stream`;
    return statesOf(() => this.open(path, 'text/event-stream', options), options);
  }

  /** Waits for the end of a job. @returns its final state, in which some rows may have failed */
  async waitForJob(id: string, options: StreamOptions = {}): Promise<JobResponse> {
    let last: JobResponse | null = null;
    for await (const state of this.followJob(id, options)) last = state;
    return last ?? (await this.api.readJob({ path: { id } })).data;
  }

  /**
   * Yields the events of all users as they happen, each once and in their order, until the signal is aborted. Requires
   * `events:read`.
   */
  events(options: EventStreamOptions = {}): AsyncGenerator<EventResponse> {
    return this.eventsAt('/api/events/stream', async () => '/api/events', options);
  }

  /** Yields the events of the user who is signed in. See {@link events}. */
  ownEvents(options: EventStreamOptions = {}): AsyncGenerator<EventResponse> {
    const feed = async () => `/api/users/${userIdOf((await this.session.accessToken()) ?? '')}/events`;
    return this.eventsAt('/api/users/me/events/stream', feed, options);
  }

  private async *eventsAt(
    path: string,
    feed: () => Promise<string>,
    options: EventStreamOptions,
  ): AsyncGenerator<EventResponse, void, undefined> {
    const { from, types, signal = null } = options;
    let { after } = options;
    if (after === 'latest') {
      // Asked once. After a lost connection the end would be another one.
      const response = await this.fetch(`${await feed()}?after=latest&limit=1`, { signal });
      after = response.headers.get('X-Next-Position') ?? after;
      await response.body?.cancel();
    }
    const address = `${path}${queryString({ after, from, type: types })}`;
    const open = (lastEventId: string | null) =>
      this.open(
        address,
        'text/event-stream',
        options,
        lastEventId === null ? {} : { 'Last-Event-ID': lastEventId },
      );
    yield* eventsOf(open, options);
  }

  private openExport(path: string, query: Query, options: StreamOptions): OpenExport {
    return (resume) =>
      this.open(`${path}${queryString({ ...query, ...resume })}`, 'application/x-ndjson', options);
  }

  private async open(
    path: string,
    accept: string,
    { signal }: StreamOptions,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const request = await this.authorized(path, {
      headers: { ...headers, Accept: accept },
      signal: signal ?? null,
    });
    return this.transport.sendAccepted(request, { isStream: true });
  }

  private async authorized(path: string, init: RequestInit): Promise<Request> {
    const request = new Request(`${this.baseUrl}${path}`, init);
    const token = await this.session.accessToken();
    if (token !== null && !request.headers.has('Authorization'))
      request.headers.set('Authorization', `Bearer ${token}`);
    return request;
  }

  private async refresh(refreshToken: string): Promise<TokenResponse> {
    const request = new Request(`${this.baseUrl}/api/auth/refresh`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ refresh_token: refreshToken }),
    });
    const response = await this.transport.sendAccepted(request, RENEWAL);
    return (await response.json()) as TokenResponse;
  }
}

/** Returns the query with its question mark. Leaves out what is undefined, and joins lists with commas. */
function queryString(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return text && `?${text}`;
}
