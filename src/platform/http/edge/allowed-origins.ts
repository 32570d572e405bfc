import { ANY_LOCALHOST } from '../../../config/value-formats.js';

const LOCALHOST = /^http:\/\/localhost(?::\d{1,5})?$/;

/** Returns the entries of CORS_ORIGINS as exact origins and patterns. */
export const originPatterns = (allowed: readonly string[]): (string | RegExp)[] =>
  allowed.map((each) => (each === ANY_LOCALHOST ? LOCALHOST : each));

/** Tells whether pages of the origin may call the API. */
export const isAllowedOrigin = (allowed: readonly string[], origin: string): boolean =>
  originPatterns(allowed).some((each) => (typeof each === 'string' ? each === origin : each.test(origin)));
