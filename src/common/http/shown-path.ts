/** The scheme and authority of a target in absolute form (RFC 9112, 3.2.2). They may contain a password. */
const AUTHORITY = /^\w+:\/\/[^/]*/;
/** The beginning of a JWT, or a character of an address: neither belongs in a path, but clients make mistakes. */
const PERSONAL = /@|%40|eyJ/i;

/** Returns the path of a request's target for the log and the spans, without the query and without personal values. */
export function shownPath(url: string): string {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  if (path.startsWith('/') && !PERSONAL.test(path)) return path;
  const masked = (segment: string) => (PERSONAL.test(segment) ? '[masked]' : segment);
  return path.replace(AUTHORITY, '').split('/').map(masked).join('/');
}

const PROBES = /^\/(?:health|metrics)(?:\/|$)/;

/** Tells whether the request is a probe of a monitor. There are many, and none is of interest. */
export const isProbe = (path: string): boolean => PROBES.test(path);
