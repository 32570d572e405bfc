import type { Response } from 'express';

/** An answer as it is sent, but for what the edge adds to every one. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Null: none. */
  readonly body: string | null;
}

/** Puts status and headers in place. @returns the body, for whoever sends it: Nest, or the error filter */
export function prepareAnswer(response: Response, { status, headers, body }: Answer): string | undefined {
  response.status(status).set({ ...headers });
  return body ?? undefined;
}
