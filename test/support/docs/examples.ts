import { type Document, type Operation, resolveSchema, type Schema } from './openapi-document.js';

/** Tells whether a successful response with a body has no schema or no example. */
export function lacksExample(document: Document, { operationId, responses }: Operation): boolean {
  return Object.entries(responses).some(([status, { content }]) => {
    if (!status.startsWith('2')) return false;
    // RFC 7009 prescribes 200 without a body.
    const isEmpty = status === '204' || operationId === 'revokeToken' || (status === '202' && !content);
    if (isEmpty) return content !== undefined;
    const media = Object.values(content ?? {});
    return (
      media.length === 0 || media.some((each) => !each.schema || !hasExample(document, each.schema, each))
    );
  });
}

function hasExample(
  document: Document,
  schema: Schema,
  media: { example?: unknown; examples?: object },
): boolean {
  if (media.example !== undefined || media.examples !== undefined) return true;
  const { example, items, properties } = resolveSchema(document, schema);
  if (example !== undefined) return true;
  if (items) return hasExample(document, items, {});
  const all = Object.values(properties ?? {});
  return all.length > 0 && all.every((property) => hasExample(document, property, {}));
}
