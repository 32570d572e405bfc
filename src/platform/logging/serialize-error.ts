/**
 * The properties of an error that are logged. They identify a failed statement but hold none of its values.
 */
const FACTS = ['type', 'message', 'stack', 'code', 'constraint', 'table', 'column', 'routine'] as const;

/**
 * Returns the loggable part of an error. Other properties are dropped because a failed query carries its
 * parameters, and its `detail` carries the whole row. For a sign-up that includes the password hash and the
 * address.
 */
export function serializeError(error: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = FACTS.filter((name) => error[name] !== undefined);
  return Object.fromEntries(known.map((name) => [name, error[name]]));
}
