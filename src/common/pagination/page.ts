import type { Request, Response } from 'express';
import { DEFAULT_LIMIT, type PageQuery } from './page-query.dto.js';

/** A page of a list, with what its headers say. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
  readonly total?: { readonly kind: 'exact' | 'estimate'; readonly count: number };
}

/**
 * A page made of one row more than it holds: that one only says that there is a next page.
 * `cursorAfter` makes the cursor of the last row, `total` counts when it was asked for.
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

/** Sends a page: a bare array as its body, the rest as headers (`Link` as in RFC 8288). */
export function sendPage<T>(page: Page<T>, request: Request, response: Response): readonly T[] {
  if (page.nextCursor !== null) linkNext(request, response, { cursor: page.nextCursor });
  if (page.total) {
    response.set(
      page.total.kind === 'exact' ? 'X-Total-Count' : 'X-Total-Estimate',
      String(page.total.count),
    );
  }
  return page.items;
}

/**
 * Names the next page: the address of this one, with another place to go on from. Relative, so that it
 * holds behind any proxy: no header of the caller's goes into an address.
 */
export function linkNext(request: Request, response: Response, place: Record<string, string>): void {
  const { originalUrl, path } = request;
  // A query may hold further question marks.
  const parameters = new URLSearchParams(originalUrl.replace(/^[^?]*/, ''));
  parameters.delete('offset');
  for (const [name, value] of Object.entries(place)) parameters.set(name, value);
  response.set('Link', `<${path}?${parameters.toString()}>; rel="next"`);
}
