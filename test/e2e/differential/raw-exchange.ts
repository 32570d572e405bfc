import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A response as it arrived, with nothing interpreted but its framing. */
export interface RawAnswer {
  readonly statusLine: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

const TIMEOUT_MS = 15_000;
/** Less than the time for which the service keeps an idle connection. */
const REUSED_WITHIN_MS = 2000;

/** A connection to the service that shows every byte of its responses. */
export class RawExchange {
  private received: Buffer = Buffer.alloc(0);
  private usedAt = performance.now();
  private onChange: () => void = () => {};
  isClosed = false;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.onChange();
    });
    for (const event of ['error', 'end', 'close']) {
      socket.on(event, () => {
        this.isClosed = true;
        this.onChange();
      });
    }
  }

  static async open(url: string): Promise<RawExchange> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname).setNoDelay();
    await once(socket, 'connect');
    return new RawExchange(socket);
  }

  get isReusable(): boolean {
    return !this.isClosed && this.received.length === 0 && performance.now() - this.usedAt < REUSED_WITHIN_MS;
  }

  write(bytes: string | Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /**
   * Returns the next response, which may be an interim one, to a request with that method. Returns null when
   * the service closes the connection without one.
   */
  async answer(method: string): Promise<RawAnswer | null> {
    await this.changedUntil(() => this.isClosed || parseAnswer(this.received, method, false) !== null);
    const found = parseAnswer(this.received, method, this.isClosed);
    if (!found) return null;
    this.received = this.received.subarray(found.end);
    this.usedAt = performance.now();
    return found.answer;
  }

  /** Waits until the service closes the connection. Returns false when it does not. */
  async closes(): Promise<boolean> {
    await this.changedUntil(() => this.isClosed).catch(() => {});
    return this.isClosed;
  }

  /** Checks the condition whenever something arrives. @throws Error when it does not come true in time */
  private async changedUntil(condition: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(TIMEOUT_MS);
    while (!condition()) {
      await new Promise<void>((resolve, reject) => {
        const late = () => reject(new Error(`no response came within ${TIMEOUT_MS} ms`));
        deadline.addEventListener('abort', late, { once: true });
        this.onChange = () => {
          deadline.removeEventListener('abort', late);
          resolve();
        };
      });
    }
  }

  end(): void {
    this.socket.destroy();
  }
}

/** Parses the first response in the bytes; null while it is incomplete. */
function parseAnswer(
  bytes: Buffer,
  method: string,
  isClosed: boolean,
): { answer: RawAnswer; end: number } | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const headers = lines.map(fieldOf);
  const status = Number(statusLine.split(' ')[1]);
  const start = headEnd + 4;
  const answer = (body: Buffer, end: number, trailers: RawAnswer['trailers'] = []) => ({
    answer: { statusLine, headers, body, trailers },
    end,
  });
  const value = (name: string) => headers.find(([each]) => each.toLowerCase() === name)?.[1];
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) {
    return answer(Buffer.alloc(0), start);
  }
  if (value('transfer-encoding') === 'chunked') {
    const chunked = parseChunks(bytes, start);
    return chunked && answer(chunked.body, chunked.end, chunked.trailers);
  }
  const length = value('content-length');
  if (length === undefined) return isClosed ? answer(bytes.subarray(start), bytes.length) : null;
  const end = start + Number(length);
  return bytes.length < end ? null : answer(bytes.subarray(start, end), end);
}

function parseChunks(
  bytes: Buffer,
  start: number,
): { body: Buffer; end: number; trailers: RawAnswer['trailers'] } | null {
  const chunks: Buffer[] = [];
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (size === 0) {
      const end = bytes.indexOf('\r\n\r\n', lineEnd);
      if (end < 0) return null;
      const lines = bytes
        .toString('latin1', lineEnd + 2, end)
        .split('\r\n')
        .filter(Boolean);
      return { body: Buffer.concat(chunks), end: end + 4, trailers: lines.map(fieldOf) };
    }
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return null;
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}

function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
