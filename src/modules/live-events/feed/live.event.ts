import type { EventResponse } from '../../events/dto/event.response.js';

/** An event on its way to many readers, who share its encoded forms. */
export class LiveEvent {
  private sseBlock: string | null = null;
  private socketMessage: Buffer | null = null;

  constructor(private readonly event: EventResponse) {}

  get position(): string {
    return this.event.position;
  }

  get type(): string {
    return this.event.type;
  }

  get subject(): string {
    return this.event.subject;
  }

  /** The event as a server-sent event. */
  get sse(): string {
    this.sseBlock ??= `event: message\nid: ${this.position}\ndata: ${JSON.stringify(this.event)}\n\n`;
    return this.sseBlock;
  }

  /** The event as a message of a WebSocket. */
  get message(): Buffer {
    const { event, position } = this;
    this.socketMessage ??= Buffer.from(JSON.stringify({ type: 'event', position, event }));
    return this.socketMessage;
  }
}
