import { Readable } from 'node:stream';
import { Logger, StreamableFile } from '@nestjs/common';
import type { Request } from 'express';
import { requestContext } from '../../../common/context/request-context.js';
import { prepareAnswer } from './prepare-answer.js';
import { errorAnswer, toAppError } from './error-answer.js';

interface FileFacts {
  /** The `Content-Type`. */
  readonly type: string;
  readonly filename: string;
}

/**
 * Streams a file without holding all of it in memory. Reads the next part when the client has taken the previous
 * one. The stream may last as long as bytes flow: its statements end with the connection, not with the request's
 * time limit. A failed response is cut off, so that it cannot pass as complete.
 */
export function streamedFile(
  request: Request,
  { type, filename }: FileFacts,
  content: AsyncGenerator<string | Buffer>,
): StreamableFile {
  const { res: response } = request;
  const closed = new AbortController();
  response?.once('close', () => closed.abort());
  const context = requestContext.current();
  const stream = Readable.from(
    inContext(context && requestContext.withSignal(context, closed.signal), content),
    {
      objectMode: false,
      highWaterMark: 1,
    },
  );
  const file = new StreamableFile(stream, { type, disposition: `attachment; filename="${filename}"` });
  return file.setErrorHandler((error) => {
    new Logger('StreamedFile').error(error, 'a stream failed');
    if (!response || response.destroyed) return;
    if (response.headersSent) response.destroy();
    else response.send(prepareAnswer(response, errorAnswer(toAppError(error), request)));
  });
}

/**
 * Runs each step of `source` in `context`. The code that pulls the next chunk (a drained socket) runs in no
 * context or in another one.
 */
async function* inContext<T>(
  context: Parameters<typeof requestContext.run>[0] | undefined,
  source: AsyncGenerator<T>,
): AsyncGenerator<T> {
  const next = () => (context ? requestContext.run(context, () => source.next()) : source.next());
  try {
    for (let step = await next(); step.done !== true; step = await next()) yield step.value;
  } finally {
    await source.return(undefined);
  }
}
