import { Injectable } from '@nestjs/common';
import { EventEmitter2, OnEvent } from '@nestjs/event-emitter';

/** A fact of a module, in the past tense: `user.disabled`. */
export interface DomainEvent {
  readonly type: string;
}

/** Hands a fact to the modules that react to it, without knowing them. */
@Injectable()
export class DomainEvents {
  constructor(private readonly emitter: EventEmitter2) {}

  /** Waits for those who listen: they act in the publisher's transaction, and their failure is its own. */
  async publish(event: DomainEvent): Promise<void> {
    // One after the other: they share a connection, and none may go on once another has failed.
    const listeners = this.emitter.listeners(event.type) as ((event: DomainEvent) => Promise<void>)[];
    for (const listener of listeners) await listener(event);
  }
}

/** Runs the method in the transaction of whoever publishes such an event. */
export const OnDomainEvent = (type: string): MethodDecorator => OnEvent(type, { suppressErrors: false });
