import { Readable } from 'node:stream';
import { Logger, StreamableFile } from '@nestjs/common';
import type { Request } from 'express';
import { requestContext } from '../../../common/context/request-context.js';
import { prepareAnswer } from './prepare-answer.js';
import { errorAnswer, toAppError } from './error-answer.js';

/** A property of the document: a ready value, or an array that is read page by page while it is sent. */
export type JsonPart =
  | { readonly name: string; readonly value: object }
  | { readonly name: string; readonly items: () => AsyncIterable<readonly object[]> };

/**
 * Streams one JSON object without holding all of it in memory. Reads the next page when the client has taken
 * the previous one. The stream may last as long as bytes flow: its statements end with the connection, not
 * with the request's time limit. A failed response is cut off, so that it cannot pass as complete.
 */
export function streamedJson(request: Request, filename: string, parts: readonly JsonPart[]): StreamableFile {
  const { res: response } = request;
  const closed = new AbortController();
  response?.once('close', () => closed.abort());
  const context = requestContext.current();
  const stream = Readable.from(
    inContext(context && requestContext.withSignal(context, closed.signal), documentOf(parts)),
    {
      objectMode: false,
      highWaterMark: 1,
    },
  );
  const file = new StreamableFile(stream, {
    type: 'application/json; charset=utf-8',
    disposition: `attachment; filename="${filename}"`,
  });
  return file.setErrorHandler((error) => {
    new Logger('StreamedJson').error(error, 'a stream failed');
    if (!response || response.destroyed) return;
    if (response.headersSent) response.destroy();
    else response.send(prepareAnswer(response, errorAnswer(toAppError(error), request)));
  });
}

async function* documentOf(parts: readonly JsonPart[]): AsyncGenerator<string> {
  yield '{';
  for (const [index, part] of parts.entries()) {
    yield `${index === 0 ? '' : ','}${JSON.stringify(part.name)}:`;
    if ('value' in part) yield JSON.stringify(part.value);
    else yield* arrayOf(part.items());
  }
  yield '}';
}

async function* arrayOf(pages: AsyncIterable<readonly object[]>): AsyncGenerator<string> {
  yield '[';
  let separator = '';
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield separator + page.map((item) => JSON.stringify(item)).join(',');
    separator = ',';
  }
  yield ']';
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
