import type { Response } from 'supertest';

/** The parts of a request to an operation that a test chooses. */
export interface Asked {
  /** The value of the path parameter. */
  readonly key?: string;
  /** The value of the path parameter `session_id`. */
  readonly session?: string;
  /** The value of the path parameter `delivery_id`. */
  readonly delivery?: string;
  readonly query?: string;
  readonly body?: object | string;
  readonly headers?: Record<string, string>;
  /** The token; by default that of the administrator. */
  readonly token?: string | undefined;
}

/** Sends a request of the contract test, such as `GET /api/users/{id}`, and keeps its answer for the checks. */
export type Ask = (operation: string, given?: Asked) => Promise<Response>;
