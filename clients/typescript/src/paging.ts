import { GatehouseError } from './errors.js';

/** The query parameters of a further page. The first page has none. */
export interface PageQuery {
  readonly cursor?: string;
  /** The position of a further page of events. */
  readonly after?: string;
}

/** A page as the list operations return it. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly response: Response;
}

/**
 * Yields every page of a list. `readPage` adds the query that it is given to its own, which stays the same:
 * `pages((next) => api.listUsers({ query: { status: 'active', ...next } }))`.
 */
export async function* pages<P extends Page<unknown>>(
  readPage: (next: PageQuery) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  let next: PageQuery | null = {};
  let address: string | null = null;
  while (next) {
    const page: P = await readPage(next);
    yield page;
    const link = nextLinkOf(page.response);
    if (link !== null && link === address)
      throw new GatehouseError({ code: 'UNEXPECTED_RESPONSE', message: 'the next page is the same page' });
    address = link;
    next = link === null ? null : queryOf(link);
  }
}

/** Yields every row of a list, page by page. See {@link pages}. */
export async function* items<T>(
  readPage: (next: PageQuery) => Promise<Page<T>>,
): AsyncGenerator<T, void, undefined> {
  for await (const { data } of pages(readPage)) yield* data;
}

/** Returns the address of the next page (RFC 8288); null on the last one. */
function nextLinkOf({ headers }: Response): string | null {
  return /<([^>]*)>\s*;\s*rel="?next"?/.exec(headers.get('Link') ?? '')?.[1] ?? null;
}

function queryOf(link: string): PageQuery {
  const { searchParams } = new URL(link, 'http://localhost');
  const cursor = searchParams.get('cursor');
  const after = searchParams.get('after');
  return { ...(cursor !== null && { cursor }), ...(after !== null && { after }) };
}
