const names = new Map<string, string>();

/**
 * Marks a statement of a hot path: each connection keeps it parsed and planned. For constants only, so
 * that there are few, and for statements whose best plan is the same whatever their parameters are.
 * They name their columns: a new column must not change what a kept one answers.
 */
export function prepared(text: string): string {
  names.set(text, `gatehouse_${names.size + 1}`);
  return text;
}

/** What a connection keeps the statement as; undefined for one that is not marked. */
export const preparedName = (text: string): string | undefined => names.get(text);
