/** Enough to recognize a statement, and short enough for PostgreSQL, which tells names apart by their first 63 bytes. */
const TEXT_LENGTH = 40;
const names = new Map<string, string>();

/**
 * Marks a statement of a hot path, so that each connection keeps it parsed and planned. Use it only for
 * constants, so that there are few, and for statements whose best plan does not depend on their parameters.
 * Such statements must name their columns, so that a new column cannot change a prepared result.
 */
export function prepared(text: string): string {
  const beginning = text.trim().replaceAll(/\s+/g, ' ').slice(0, TEXT_LENGTH);
  names.set(text, `gatehouse_${names.size + 1} ${beginning}`);
  return text;
}

/** The name under which a connection keeps the statement, with its beginning; undefined for an unmarked one. */
export const preparedName = (text: string): string | undefined => names.get(text);
