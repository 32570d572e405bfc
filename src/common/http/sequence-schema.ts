import type { Type } from '@nestjs/common';
import { getSchemaPath } from '@nestjs/swagger';

/**
 * The schema of text that holds JSON (JSON Schema 2020-12, 8). OpenAPI 3.1 cannot describe a sequence, so `contentSchema`
 * describes it as a list, as OpenAPI 3.2 does.
 */
export interface SequenceSchema {
  readonly type: 'string';
  readonly contentMediaType: string;
  readonly contentSchema: object;
}

const refTo = (model: Type) => ({ $ref: getSchemaPath(model) });

/** Returns the schema of newline-delimited JSON. Each line is one of the models. */
export function ndjsonOf(...models: readonly Type[]): SequenceSchema {
  const [only, ...others] = models.map(refTo);
  const items = others.length === 0 ? only : { anyOf: models.map(refTo) };
  return {
    type: 'string',
    contentMediaType: 'application/x-ndjson',
    contentSchema: { type: 'array', items },
  };
}

/** Returns the schema of server-sent events: the models of their `data` by the names of the events. */
export function eventsOf(events: Readonly<Record<string, Type>>): SequenceSchema {
  const anyOf = Object.entries(events).map(([event, model]) => ({
    type: 'object',
    required: ['event', 'data'],
    properties: {
      event: { const: event },
      id: { type: 'string' },
      data: { type: 'string', contentMediaType: 'application/json', contentSchema: refTo(model) },
    },
  }));
  return {
    type: 'string',
    contentMediaType: 'text/event-stream',
    contentSchema: { type: 'array', items: { anyOf } },
  };
}
