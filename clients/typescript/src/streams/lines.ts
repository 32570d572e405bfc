import { unreachable } from '../errors.js';

/** The maximum number of characters in a line. A row or an event is far smaller. */
const MAX_LINE = 16 * 1024 * 1024;
/** The time in ms after which a silent connection counts as dead. The service sends at least a comment every 30 s. */
const IDLE_TIMEOUT_MS = 90_000;

/**
 * Yields the complete lines of a body without their ends (LF, CR LF or CR). An incomplete last line is dropped.
 * @throws GatehouseError `UNREACHABLE` when the connection is lost or silent
 */
export async function* linesOf(
  body: ReadableStream<Uint8Array>,
  idleMs = IDLE_TIMEOUT_MS,
): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await readWithin(reader, idleMs);
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      // A CR at the end may be the first half of a CR LF.
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE) throw unreachable(new Error('a line is too long'));
      yield* lines;
    }
  } finally {
    // Ends the request when its reader leaves. After an error there is nothing to end.
    await reader.cancel().catch(() => {});
  }
}

async function readWithin(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  idleMs: number,
): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no data received for ${idleMs} ms`)), idleMs);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    throw unreachable(error);
  } finally {
    clearTimeout(timer);
  }
}
