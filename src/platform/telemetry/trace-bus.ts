import { tracing } from './tracing.js';

/** A bus of Nest's CQRS module, reduced to the one method through which every command or query passes. */
interface Bus {
  execute: (message: object, ...rest: never[]) => Promise<unknown>;
}

/** Runs each command or query of this bus in a span that has the name of its class. */
export function traceBus(bus: object, kind: 'command' | 'query'): void {
  const traced = bus as Bus;
  const execute = traced.execute.bind(bus);
  traced.execute = (message, ...rest) =>
    tracing.inSpan({ name: `${kind} ${message.constructor.name}`, kind: 'internal' }, () =>
      execute(message, ...rest),
    );
}
