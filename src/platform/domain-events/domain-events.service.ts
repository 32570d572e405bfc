import { Injectable } from '@nestjs/common';
import { EventEmitter2, OnEvent } from '@nestjs/event-emitter';
import { tracing } from '../telemetry/tracing.js';

/** A fact of a module, named in the past tense: `user.disabled`. */
export interface DomainEvent {
  readonly type: string;
}

/** Delivers a fact to the modules that react to it, without depending on them. */
@Injectable()
export class DomainEventsService {
  constructor(private readonly emitter: EventEmitter2) {}

  /**
   * Calls the listeners and waits for them. They run in the publisher's transaction, and their failure fails
   * the publisher.
   */
  async publish(event: DomainEvent): Promise<void> {
    // Called one at a time, because they share a connection and none may run after another has failed.
    const listeners = this.emitter.listeners(event.type) as ((event: DomainEvent) => Promise<void>)[];
    await tracing.inSpan({ name: `event ${event.type}`, kind: 'internal' }, async () => {
      for (const listener of listeners) await listener(event);
    });
  }
}

/** Runs the method in the transaction that publishes such an event. */
export const OnDomainEvent = (type: string): MethodDecorator => OnEvent(type, { suppressErrors: false });
