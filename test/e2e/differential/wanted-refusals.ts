import { type Change, replaceText } from './wanted-changes.js';
import type { WantedDifference } from './wanted-differences.js';

const NO_TOKEN = 'Sign in to do this';
const INVALID_TOKEN = '< WWW-Authenticate: Bearer error="invalid_token"';
const ENDED =
  /: (?:a token of a (?:disabled|deleted) user|disabled by a batch|ended|a token from before the change|again)$/;
const METRICS = /^production: GET \/metrics: /;

/** Replaces the message of a refused token. */
const sayingWhy =
  (message: string): Change =>
  (text) =>
    text.includes(INVALID_TOKEN) ? text.replaceAll(NO_TOKEN, message) : text;

const WHY = 'the message of a 401 tells what became of the token';

/** The refusals of tokens, and of bodies without a required property. */
export const refusalDifferences: readonly WantedDifference[] = [
  { exchanges: ENDED, change: sayingWhy('The session has ended: sign in again'), reason: WHY },
  { exchanges: METRICS, change: sayingWhy('The metrics token is not valid'), reason: WHY },
  // Those that the others have left.
  { exchanges: /^(?:callers|denials): /, change: sayingWhy('The access token is not valid'), reason: WHY },
  {
    exchanges:
      /^(?:bodies: POST \/api\/users: no body|callers: .*: an invalid token on a public route that reads a body|cross-origin: POST \/api\/users: an origin|headers: .*: a problem with details|limits: POST \/api\/auth\/login: sign-in \d|paths: POST \/api\/users\/: a trailing slash|resources: POST \/api\/(?:auth\/login: a key on a route that ignores it|resources as ada: (?:a refusal with a key|the refusal again))|sessions: .*: an empty body|wire: (?:a body, then another request|no length))$/,
    change: replaceText(/"(\w+) must be an? (?:string|email)"/g, '"$1 is required"'),
    reason: 'a missing property is called required, not wrong',
  },
];
