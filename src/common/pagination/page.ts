import type { Request, Response } from 'express';
import { DEFAULT_LIMIT, type PageQuery } from './page-query.dto.js';

/** A page of a list, with the values of its headers. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The cursor of the next page; null on the last page. */
  readonly nextCursor: string | null;
  readonly total?: { readonly kind: 'exact' | 'estimate'; readonly count: number };
}

/**
 * Builds a page from up to one row more than it holds. The extra row only shows that a next page exists.
 * `cursorAfter` encodes the cursor of the last row. `count` runs if the query asks for a total.
 */
export async function toPage<T>(
  rows: readonly T[],
  { limit = DEFAULT_LIMIT, total }: PageQuery,
  cursorAfter: (last: T) => string,
  count: (kind: 'exact' | 'estimate') => Promise<number>,
): Promise<Page<T>> {
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return {
    items,
    nextCursor: last ? cursorAfter(last) : null,
    ...(total && { total: { kind: total, count: await count(total) } }),
  };
}

/** Sends a page: the array as the body, the rest as headers (`Link` as in RFC 8288). */
export function sendPage<T>(page: Page<T>, request: Request, response: Response): readonly T[] {
  if (page.nextCursor !== null) setNextLink(request, response, { cursor: page.nextCursor });
  if (page.total) {
    response.set(
      page.total.kind === 'exact' ? 'X-Total-Count' : 'X-Total-Estimate',
      String(page.total.count),
    );
  }
  return page.items;
}

/**
 * Sets the link to the next page: the current address with `place`, and without the parameters that said where the
 * first page begins. The link is relative, so it works behind any proxy and contains no header that the caller
 * controls.
 */
export function setNextLink(
  request: Request,
  response: Response,
  place: Record<string, string>,
  beginnings: readonly string[] = ['offset'],
): void {
  const { originalUrl, path } = request;
  // A query may contain further question marks.
  const parameters = new URLSearchParams(originalUrl.replace(/^[^?]*/, ''));
  for (const name of beginnings) parameters.delete(name);
  for (const [name, value] of Object.entries(place)) parameters.set(name, value);
  response.set('Link', `<${path}?${parameters.toString()}>; rel="next"`);
}
