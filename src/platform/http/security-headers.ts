import type { SecurityHeadersOptions } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/** For an API: nothing that it answers may run, frame or load anything. */
export const securityHeaders: SecurityHeadersOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: "'none'", frameAncestors: "'none'" },
  },
  strictTransportSecurity: { maxAge: 63_072_000, includeSubDomains: true },
  referrerPolicy: { policy: 'no-referrer' },
  xContentTypeOptions: true,
  xFrameOptions: { action: 'deny' },
};

/** Swagger UI loads its own scripts and styles, sets styles inline, and calls this API. */
const DOCUMENTATION_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
].join(';');

/** Loosens the policy for the documentation page alone. */
export function documentationPolicy(_: Request, response: Response, next: NextFunction): void {
  response.set('Content-Security-Policy', DOCUMENTATION_POLICY);
  next();
}
