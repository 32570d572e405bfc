import type { IncomingMessage, ServerResponse } from 'node:http';

/** More than any body that could have been accepted: a client that sends one in full can read why not. */
const MAX_DRAINED_BYTES = 16 * 1024 * 1024;
const MAX_DRAIN_MS = 10_000;
/** A client that sends nothing for this long after an answer that closes has stopped. */
const IDLE_MS = 1000;
const LOOK_EVERY_MS = 100;
/** A rest of a body up to this length is read faster than a new connection is made. */
const SHORT_BYTES = 64 * 1024;

/**
 * After a refusal Node reads what is left of the body, so that the client can finish and read the answer. This bounds
 * the rest. With `closes` the answer says `Connection: close`, and our side of the connection ends with it; what the
 * client still sends is read a while longer, because a reset would take the answer from it.
 */
export function boundRestOfBody(
  request: IncomingMessage,
  response: ServerResponse,
  closes = isLong(request),
): void {
  if (closes) response.setHeader('Connection', 'close');
  if (request.complete) return;
  const { socket } = request;
  // Node would destroy the socket as soon as the answer is written.
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
    }, LOOK_EVERY_MS);
    timer.unref();
  });
}

/** Returns whether more of the body than a little may be on its way. */
function isLong(request: IncomingMessage): boolean {
  if (request.complete) return false;
  if (request.headers['transfer-encoding'] !== undefined) return true;
  return Number(request.headers['content-length'] ?? 0) > SHORT_BYTES;
}
