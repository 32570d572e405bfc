/** What of an error is logged: the names that a statement's failure is known by, never its values. */
const FACTS = ['type', 'message', 'stack', 'code', 'constraint', 'table', 'column', 'routine'] as const;

/**
 * An error as it is logged. Its other properties stay out: those of a failed query hold the
 * parameters, and in `detail` the whole row, of a sign-up its password hash and address.
 */
export function errorFacts(error: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = FACTS.filter((name) => error[name] !== undefined);
  return Object.fromEntries(known.map((name) => [name, error[name]]));
}
