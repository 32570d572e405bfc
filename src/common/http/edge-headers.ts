type Headers = readonly (readonly [name: string, value: string])[];

/** The headers of every response, also of those that bypass Nest. An API must not run, frame or load anything. */
export const EDGE_HEADERS: Headers = [
  ['Content-Security-Policy', "default-src 'none';frame-ancestors 'none'"],
  ['Strict-Transport-Security', 'max-age=63072000; includeSubDomains'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
];

/**
 * The headers of every response that Nest serves, which include pages: EDGE_HEADERS, and those of Nest's
 * `useSecurityHeaders` that isolate a page. The latter sets them with more work for each request.
 */
export const SECURITY_HEADERS: Headers = [
  ...EDGE_HEADERS,
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Origin-Agent-Cluster', '?1'],
  ['X-DNS-Prefetch-Control', 'off'],
  ['X-Download-Options', 'noopen'],
  ['X-Permitted-Cross-Domain-Policies', 'none'],
  ['X-XSS-Protection', '0'],
];
