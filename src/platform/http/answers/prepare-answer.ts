import type { Response } from 'express';

/** A response as it is sent, without the headers that the edge adds to every response. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Null when the response has no body. */
  readonly body: string | null;
}

/**
 * Sets the status and headers.
 * @returns the body for the sender: Nest or the error filter
 */
export function prepareAnswer(response: Response, { status, headers, body }: Answer): string | undefined {
  response.status(status).set({ ...headers });
  return body ?? undefined;
}
