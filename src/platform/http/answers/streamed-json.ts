import type { StreamableFile } from '@nestjs/common';
import type { Request } from 'express';
import { streamedFile } from './streamed-file.js';

/** A property of the document: a ready value, or an array that is read page by page while it is sent. */
export type JsonPart =
  | { readonly name: string; readonly value: object }
  | { readonly name: string; readonly items: () => AsyncIterable<readonly object[]> };

/** Streams one JSON object as {@link streamedFile} does. */
export const streamedJson = (
  request: Request,
  filename: string,
  parts: readonly JsonPart[],
): StreamableFile =>
  streamedFile(request, { type: 'application/json; charset=utf-8', filename }, documentOf(parts));

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
