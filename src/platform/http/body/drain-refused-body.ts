import type { IncomingMessage, ServerResponse } from 'node:http';

/** More than any acceptable body, so that a client that sends its whole body can read the refusal. */
const MAX_DRAINED_BYTES = 16 * 1024 * 1024;
const MAX_DRAIN_MS = 10_000;
/** The idle time, after a response that closes, after which the client counts as finished. */
const IDLE_MS = 1000;
const CHECK_INTERVAL_MS = 100;
/** The remaining length up to which reading the body is faster than opening a new connection. */
const SHORT_BYTES = 64 * 1024;

/**
 * Bounds the rest of a refused body. After a refusal Node reads the rest, so that the client can finish
 * sending and read the response. With `closes`, the response says `Connection: close` and our side of the
 * connection ends after it. The service still reads what the client sends for a while, because a reset would
 * destroy the response.
 */
export function boundRestOfBody(
  request: IncomingMessage,
  response: ServerResponse,
  closes = isLong(request),
): void {
  if (closes) response.setHeader('Connection', 'close');
  if (request.complete || !hasBody(request)) return;
  const { socket } = request;
  // Node would destroy the socket as soon as the response is written.
  if (closes) socket.destroySoon = () => socket.end();
  response.once('finish', () => {
    const readBefore = socket.bytesRead;
    const until = performance.now() + MAX_DRAIN_MS;
    let seen = { read: readBefore, at: performance.now() };
    const isOver = (): boolean => {
      const now = performance.now();
      if (socket.bytesRead !== seen.read) seen = { read: socket.bytesRead, at: now };
      return (
        socket.bytesRead - readBefore > MAX_DRAINED_BYTES ||
        now > until ||
        (closes && now > seen.at + IDLE_MS)
      );
    };
    const timer = setInterval(() => {
      if (socket.destroyed || (request.complete && !closes)) clearInterval(timer);
      else if (isOver() || request.complete) socket.destroy();
    }, CHECK_INTERVAL_MS);
    timer.unref();
  });
}

/** Tells whether the head announces a body. A request without one is not complete yet in its own event either. */
const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Tells whether more than a small part of the body may still arrive. */
function isLong(request: IncomingMessage): boolean {
  if (request.complete) return false;
  if (request.headers['transfer-encoding'] !== undefined) return true;
  return Number(request.headers['content-length'] ?? 0) > SHORT_BYTES;
}
