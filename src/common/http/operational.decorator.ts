import { SetMetadata } from '@nestjs/common';

const OPERATIONAL = 'gatehouse:operational';

/** Properties of a route that serves the operation of the service itself. */
export interface OperationalRoute {
  /** Answers even while the instance refuses every other request because of its load. */
  readonly evenOverloaded: boolean;
}

/** Marks routes that work without the database: they look up no caller and count against no rate limit. */
export const Operational = ({ evenOverloaded = false } = {}) =>
  SetMetadata(OPERATIONAL, { evenOverloaded } satisfies OperationalRoute);

/** Returns what the handler or else its controller declares; undefined for a route of a feature. */
export const operationalRoute = (handler: object, controller: object): OperationalRoute | undefined =>
  (Reflect.getMetadata(OPERATIONAL, handler) ?? Reflect.getMetadata(OPERATIONAL, controller)) as
    OperationalRoute | undefined;
