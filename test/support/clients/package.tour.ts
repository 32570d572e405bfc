import {
  Gatehouse,
  GatehouseError,
  items,
  type JobResponse,
  memoryStore,
  type UserResponse,
  verifyWebhook,
  type WebhookMessage,
  WebhookVerificationError,
  webStorageStore,
} from '@gatehouse/client';

export interface Tour {
  readonly baseUrl: string;
  readonly person: { readonly email: string; readonly password: string; readonly name: string };
  readonly admin: { readonly email: string; readonly password: string };
  readonly rows: { readonly email: string; readonly name: string }[];
  /** A part of the names of the users to export, and of those to list. */
  readonly search: string;
  readonly listed: string;
  /** The address that cuts every connection to the service. */
  readonly cut: string;
  readonly message: WebhookMessage;
  readonly secret: string;
}

const codeOf = (error: unknown): string =>
  GatehouseError.is(error) || error instanceof WebhookVerificationError
    ? `${error.name} ${GatehouseError.is(error) ? error.code : ''}`.trim()
    : String(error);

/** Signs up in the storage of the browser, or in memory where there is none. */
export async function signUp({ baseUrl, person }: Tour): Promise<Gatehouse> {
  const gatehouse = openTab(baseUrl);
  await gatehouse.signUp(person);
  return gatehouse;
}

/** Continues the session of another tab. */
export const openTab = (baseUrl: string): Gatehouse =>
  new Gatehouse({ baseUrl, store: 'window' in globalThis ? webStorageStore() : memoryStore() });

/** Listens to the events of the user until this many have come. */
async function firstOwnEvents(gatehouse: Gatehouse, count: number): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of gatehouse.ownEvents()) if (types.push(type) === count) break;
  return types;
}

export async function takeTour(tour: Tour): Promise<object> {
  const { baseUrl, person, search } = tour;
  const gatehouse = await signUp(tour);
  const me: UserResponse = (await gatehouse.api.readMe()).data;
  const taken = await gatehouse.api.createUser({ body: person }).catch(codeOf);
  const refused = await gatehouse.api.listUsers().catch(codeOf);

  const paths: string[] = [];
  const admin = new Gatehouse({
    baseUrl,
    fetch: (input, init) => {
      paths.push(new URL(input instanceof Request ? input.url : input).pathname);
      return fetch(input, init);
    },
  });
  await admin.signIn(tour.admin);
  const { data: job } = await admin.api.importUsers({ body: tour.rows });
  const states: JobResponse[] = [];
  for await (const state of admin.followJob(job.id)) states.push(state);

  const listed: string[] = [];
  const readPage = (next: object) =>
    admin.api.listUsers({ query: { search: tour.listed, status: 'active', limit: 50, ...next } });
  for await (const { email } of items(readPage)) listed.push(email);

  const exported: string[] = [];
  for await (const { email = '' } of admin.exportUsers({ search, fields: 'email' })) {
    exported.push(email);
    if (exported.length === 10) await fetch(tour.cut, { method: 'POST' });
  }

  const ownEvents = await firstOwnEvents(gatehouse, 2).catch(codeOf);

  const event = await verifyWebhook(tour.message, tour.secret);
  const forged = { ...tour.message, body: `${String(tour.message.body)} ` };
  const forgery = await verifyWebhook(forged, tour.secret).catch(codeOf);

  const told = {
    me: me.email,
    taken,
    refused,
    job: states.at(-1)?.status,
    imported: states.at(-1)?.done,
    listed: new Set(listed).size,
    listedTwice: listed.length - new Set(listed).size,
    exported: new Set(exported).size,
    exportedTwice: exported.length - new Set(exported).size,
    isResumed: paths.filter((path) => path === '/api/export/users').length > 1,
    ownEvents,
    event: event.type,
    forgery,
  };
  await Promise.all([admin.signOut(), gatehouse.signOut()]);
  const after = await gatehouse.api.readMe().catch(codeOf);
  return { ...told, after, isSignedIn: await gatehouse.isSignedIn() };
}
