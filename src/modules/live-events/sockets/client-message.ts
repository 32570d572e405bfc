import { AppError } from '../../../common/errors/app.error.js';
import { parsePosition } from '../../../common/event-position.js';
import { shownName } from '../../../common/text.js';
import { parseJsonBody } from '../../../common/validation/json-text.js';
import { storedEventTypes } from '../../event-types.js';

/** A message of a client. `types` is null for all types. */
export type ClientMessage =
  | { readonly type: 'ping' }
  | { readonly type: 'resume'; readonly after: string }
  | { readonly type: 'subscribe'; readonly types: readonly string[] | null };

const PROPERTIES: Readonly<Record<ClientMessage['type'], readonly string[]>> = {
  ping: ['type'],
  resume: ['type', 'after'],
  subscribe: ['type', 'types'],
};

/** Parses a text message. @throws AppError `VALIDATION_ERROR` */
export function parseClientMessage(bytes: Buffer): ClientMessage {
  const message = parseJsonBody(bytes);
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new AppError('VALIDATION_ERROR', { message: 'A message must be a JSON object' });
  const { type, after, types } = message as Readonly<Record<string, unknown>>;
  if (!isKnownType(type))
    throw AppError.invalid('type', `type must be one of ${Object.keys(PROPERTIES).join(', ')}`);
  const unknown = Object.keys(message).find((name) => !PROPERTIES[type].includes(name));
  if (unknown !== undefined) throw AppError.invalid(shownName(unknown), `${shownName(unknown)} is not known`);
  if (type === 'resume') return { type, after: positionOf(after) };
  return type === 'subscribe' ? { type, types: typesOf(types) } : { type };
}

const isKnownType = (type: unknown): type is ClientMessage['type'] =>
  typeof type === 'string' && Object.hasOwn(PROPERTIES, type);

function positionOf(after: unknown): string {
  if (typeof after === 'string' && parsePosition(after) !== null) return after;
  throw AppError.invalid('after', 'after must be the position of an event');
}

function typesOf(types: unknown): readonly string[] | null {
  if (types === undefined) return null;
  const isList = Array.isArray(types) && types.length > 0 && types.length <= storedEventTypes.length;
  if (!isList || !types.every((each) => storedEventTypes.includes(each as string)))
    throw AppError.invalid('types', 'types must be a list of event types, or be left out for all');
  return [...new Set(types as string[])];
}
