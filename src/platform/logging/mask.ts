/** Keys whose values never appear in the log. The service logs none of them on purpose; this is a second safeguard. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  'authorization',
  'password',
  'new_password',
  'current_password',
  'token',
  'refresh_token',
  'access_token',
]);
const MASK = '[Redacted]';
/** The number of levels below the line itself that are searched. */
const MAX_DEPTH = 2;

/** Returns the fields of a log line without secrets. Copies only what it changes. */
export function maskSecrets(fields: object, depth = 0): Record<string, unknown> {
  const given = fields as Record<string, unknown>;
  let masked: Record<string, unknown> | null = null;
  for (const key of Object.keys(given)) {
    const value = given[key];
    const shown = SECRET_KEYS.has(key) ? MASK : maskNested(value, depth);
    if (shown !== value) (masked ??= { ...given })[key] = shown;
  }
  return masked ?? given;
}

function maskNested(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth === MAX_DEPTH) return value;
  // Its serializer picks the properties that may be logged.
  if (value instanceof Error) return value;
  if (!Array.isArray(value)) return maskSecrets(value, depth + 1);
  const masked = value.map((item) => maskNested(item, depth + 1));
  return masked.some((item, index) => item !== value[index]) ? masked : value;
}
