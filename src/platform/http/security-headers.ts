import type { SecurityHeadersOptions } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/** Security headers for an API, whose responses must not run, frame or load anything. */
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

/**
 * The policy for Swagger UI, which loads its own scripts and styles, sets inline styles, and calls this API.
 */
const DOCUMENTATION_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
].join(';');

/** Relaxes the policy for the documentation page only. */
export function documentationPolicy(_: Request, response: Response, next: NextFunction): void {
  response.set('Content-Security-Policy', DOCUMENTATION_POLICY);
  next();
}
