import { Logger } from '@nestjs/common';
import cors from 'cors';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { originPatterns } from './allowed-origins.js';

/**
 * The platform's response headers that a script may want to read. The Fetch Standard hides all headers that are
 * not listed. Controllers add others with `ExposesHeaders`.
 */
const EXPOSED_HEADERS = [
  'Allow',
  'Content-Disposition',
  'ETag',
  'Idempotency-Replayed',
  'Link',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-Id',
  'X-Total-Count',
  'X-Total-Estimate',
];
/**
 * Every request header that the service reads and that needs permission. A browser caches the headers that a
 * preflight of a URL allowed. If the response allowed only those of one request, the next request with other
 * headers would need another preflight. With this list Chromium sends 5 preflights instead of 7 for 8 calls
 * to three URLs. It never reuses a preflight for a request whose script sets If-Match or If-None-Match.
 */
const REQUEST_HEADERS = [
  'accept',
  'authorization',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'last-event-id',
  'traceparent',
  'tracestate',
  'x-request-id',
];
const PREFLIGHT_SECONDS = 600;
/** The maximum number of origins logged per period, because anyone may send a preflight. */
const LOGGED_ORIGINS = 10;
const LOGGED_EVERY_MS = 60_000;
const MAX_LOGGED_LENGTH = 200;

/**
 * Lets pages of the allowed origins call the API and answers their preflights. Any other OPTIONS request is handled like
 * every other method, which the cors package would not do. The same applies to a preflight when no origin is allowed at
 * all.
 */
export class Cors {
  private readonly logRefusal = refusalLog();
  private readonly exposedHeaders: string;
  private readonly isOn: boolean;
  private readonly library: RequestHandler;

  constructor(allowed: readonly string[], exposedByRoutes: readonly string[]) {
    this.isOn = allowed.length > 0;
    this.exposedHeaders = [...EXPOSED_HEADERS, ...exposedByRoutes].toSorted().join();
    const origin = originPatterns(allowed);
    this.library = cors((request, use) =>
      use(null, {
        origin,
        allowedHeaders: allowedHeaders(request.headers['access-control-request-headers']),
        exposedHeaders: this.exposedHeaders,
        maxAge: PREFLIGHT_SECONDS,
        preflightContinue: true,
      }),
    );
  }

  use(request: Request, response: Response, next: NextFunction): void {
    if (request.headers.origin === undefined && request.method !== 'OPTIONS') {
      // Sets the library's headers without calling it, because most requests come from no page.
      if (this.isOn) {
        response.setHeader('Vary', 'Origin');
        response.setHeader('Access-Control-Expose-Headers', this.exposedHeaders);
      }
      next();
    } else if (this.isOn) {
      this.library(request, response, (error?: unknown) =>
        error ? next(error) : this.answerPreflight(request, response, next),
      );
    } else this.answerPreflight(request, response, next);
  }

  private answerPreflight(request: Request, response: Response, next: NextFunction): void {
    const { origin } = request.headers;
    const asked = origin !== undefined && request.get('access-control-request-method');
    if (request.method !== 'OPTIONS' || !asked) return next();
    if (response.getHeader('Access-Control-Allow-Origin') === undefined) this.logRefusal(origin);
    if (this.isOn) response.status(204).end();
    else next();
  }
}

/**
 * Returns the headers that the client asks for, then the others that the service reads. No request is refused
 * because of a header's name.
 */
function allowedHeaders(requested = ''): string[] {
  const names = requested
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  return [...new Set([...names, ...REQUEST_HEADERS])];
}

function refusalLog(): (origin: string) => void {
  const logger = new Logger('Cors');
  const logged = new Set<string>();
  let until = 0;
  return (origin) => {
    const now = performance.now();
    if (now > until) {
      logged.clear();
      until = now + LOGGED_EVERY_MS;
    }
    const shown = origin.slice(0, MAX_LOGGED_LENGTH);
    if (logged.has(shown) || logged.size >= LOGGED_ORIGINS) return;
    logged.add(shown);
    logger.warn({ origin: shown }, 'refused a preflight: add this origin to CORS_ORIGINS to allow its pages');
  };
}
