/** The place in an answer from which a later step takes a value. */
export type Capture =
  | { readonly body: string }
  | { readonly header: string; readonly match?: RegExp }
  /** The first group of `text` in the body. */
  | { readonly text: RegExp };

/**
 * A request. `<name>` in its request line, its headers and its body stands for the value that an earlier step
 * captured under that name.
 */
export interface Ask {
  /** Tells the step from others with the same request line. Unique within a group together with that line. */
  readonly title?: string;
  /** The method and the target, such as `GET /api/users?limit=1`. */
  readonly request: string;
  /** The name of a user: sends the captured `<name.token>` as bearer token. */
  readonly as?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** A string or a Buffer is sent unchanged, any other value as JSON. */
  readonly body?: unknown;
  readonly capture?: Readonly<Record<string, Capture>>;
  /** Masks parts of the answer that time alone decides. Each pattern applies to the answer's lines. */
  readonly masks?: readonly (readonly [pattern: RegExp, replacement: string])[];
}

/** Bytes that no HTTP client would send, over a connection of their own. */
export interface SendRaw {
  readonly title: string;
  readonly raw: string;
  /** The number of final answers to wait for. */
  readonly answers?: number;
  readonly masks?: Ask['masks'];
}

/** Requests that wait together for a lock which is held until all have their answers. */
export interface WhileLocked {
  readonly lock: string;
  readonly asks: readonly (Ask | SendRaw)[];
}

/** Waits until the query returns a row. */
export interface Await {
  readonly until: string;
}

/** Changes the database behind the service's back. */
export interface Change {
  readonly sql: string;
}

/** Waits for a mail and captures the token in it. */
export interface ReadMail {
  readonly mailTo: string;
  readonly subject: string;
  readonly name: string;
}

/** Starts the stop of the service, and waits until it tells load balancers to go elsewhere. */
export interface Drain {
  readonly signal: NodeJS.Signals;
}

export type Step = Ask | SendRaw | WhileLocked | Await | Change | ReadMail | Drain;

/** Requests that are sent in order and recorded in one file. */
export interface Group {
  readonly name: string;
  /** `open` has documentation, CORS and high limits; `strict` runs in production mode with low limits. */
  readonly service: 'open' | 'strict';
  readonly steps: readonly Step[];
}
