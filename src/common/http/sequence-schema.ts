import type { Type } from '@nestjs/common';
import { getSchemaPath } from '@nestjs/swagger';

/**
 * The schema of text that holds JSON (JSON Schema 2020-12, 8). OpenAPI 3.1 cannot describe a sequence, so `contentSchema`
 * describes the sequence as a list, as OpenAPI 3.2 does.
 */
export interface SequenceSchema {
  readonly type: 'string';
  readonly contentMediaType: string;
  readonly contentSchema: object;
}

const refTo = (model: Type) => ({ $ref: getSchemaPath(model) });

/** Returns the schema of newline-delimited JSON. Each line is one of the models. */
export function ndjsonOf(...models: readonly Type[]): SequenceSchema {
  const lines = models.map(refTo);
  return sequenceOf('application/x-ndjson', lines.length === 1 ? lines[0] : { anyOf: lines });
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
  return sequenceOf('text/event-stream', { anyOf });
}

const sequenceOf = (contentMediaType: string, items: object | undefined): SequenceSchema => ({
  type: 'string',
  contentMediaType,
  contentSchema: { type: 'array', items },
});
