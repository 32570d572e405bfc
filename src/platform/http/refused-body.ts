import type { Request, Response } from 'express';

/** More than any body that could have been accepted: a client that sends one in full can read why not. */
const MAX_DRAINED_BYTES = 16 * 1024 * 1024;
const MAX_DRAIN_MS = 10_000;
const LOOK_EVERY_MS = 100;

/**
 * After a refusal Node reads what is left of the body, so that the client can finish and read the
 * answer. This ends it for one that never does.
 */
export function boundRestOfBody(request: Request, response: Response): void {
  if (request.complete) return;
  const { socket } = request;
  response.once('finish', () => {
    const readBefore = socket.bytesRead;
    const until = performance.now() + MAX_DRAIN_MS;
    const timer = setInterval(() => {
      if (request.complete || socket.destroyed) clearInterval(timer);
      else if (socket.bytesRead - readBefore > MAX_DRAINED_BYTES || performance.now() > until)
        socket.destroy();
    }, LOOK_EVERY_MS);
    timer.unref();
  });
}
