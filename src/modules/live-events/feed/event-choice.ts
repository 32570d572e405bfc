/** The events that a reader receives: those that one of its parts accepts. */
export interface EventChoice {
  /** Events about one user; null for none of them. */
  readonly own: { readonly subject: string; readonly types: readonly string[] | null } | null;
  /** Events about all users; null for none of them. */
  readonly all: { readonly types: readonly string[] | null } | null;
}

export function accepts({ own, all }: EventChoice, type: string, subject: string): boolean {
  if (all && hasType(all.types, type)) return true;
  return own !== null && own.subject === subject && hasType(own.types, type);
}

/** Null stands for all types. */
const hasType = (types: readonly string[] | null, type: string): boolean =>
  types === null || types.includes(type);
