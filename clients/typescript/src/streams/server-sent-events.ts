import { linesOf } from './lines.js';

export interface ServerSentEvent {
  /** The name; `message` if the server gave none. */
  readonly event: string;
  readonly data: string;
  /** The last id that the server sent, with this event or an earlier one; empty if there was none. */
  readonly id: string;
}

/**
 * Yields the events of a body as the HTML standard defines them. Comments and an incomplete last event are dropped.
 * @throws GatehouseError `UNREACHABLE` when the connection is lost or silent
 */
export async function* serverSentEvents(
  body: ReadableStream<Uint8Array>,
  idleMs?: number,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let event = '';
  let data: string[] = [];
  let id = '';
  for await (const line of linesOf(body, idleMs)) {
    if (line === '') {
      if (data.length > 0) yield { event: event || 'message', data: data.join('\n'), id };
      event = '';
      data = [];
      continue;
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
  }
}
