import { storedEventTypes } from '../../../src/modules/event-types.js';
import { all, type Change, replaceText } from './wanted-changes.js';
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

const UNKNOWN_TYPE = `type must be one or more of the following values, separated by commas: ${storedEventTypes.join(', ')}`;

/** Turns an empty page of events into the refusal of the type. */
const refusedType: Change = all(
  replaceText('200 OK', '400 Bad Request'),
  replaceText('"status":200', '"status":400'),
  replaceText(
    '  []\n',
    [
      '  {',
      '   "error": {',
      '    "code": "VALIDATION_ERROR",',
      `    "message": "${UNKNOWN_TYPE}",`,
      '    "request_id": "<uuid:1>",',
      '    "details": [',
      '     {',
      '      "field": "type",',
      `      "message": "${UNKNOWN_TYPE}"`,
      '     }',
      '    ]',
      '   }',
      '  }',
      'log {"code":"VALIDATION_ERROR","fields":["type"],"level":"info","msg":"refused","request_id":"<uuid:1>"}',
      '',
    ].join('\n'),
  ),
);

const UNKNOWN_TYPES =
  'a type that the feed never contains is refused, as an unknown action of the audit log is';
const WHY = 'the message of a 401 tells what became of the token';

/** The refusals of tokens, of bodies without a required property, and of unknown types of events. */
export const refusalDifferences: readonly WantedDifference[] = [
  { exchanges: ENDED, change: sayingWhy('The session has ended: sign in again'), reason: WHY },
  {
    exchanges:
      /^history: GET \/api\/events\?(?:limit=2&type=role\.changed as auditor|type=nothing as admin)$/,
    change: refusedType,
    reason: UNKNOWN_TYPES,
  },
  {
    exchanges: /^history: metrics$/,
    change: all(
      replaceText('route="/api/events",status="200"} +4', 'route="/api/events",status="200"} +2'),
      replaceText('route="/api/events",status="400"} +2', 'route="/api/events",status="400"} +4'),
    ),
    reason: UNKNOWN_TYPES,
  },
  { exchanges: METRICS, change: sayingWhy('The metrics token is not valid'), reason: WHY },
  // Those that the others have left.
  { exchanges: /^(?:callers|denials): /, change: sayingWhy('The access token is not valid'), reason: WHY },
  {
    exchanges:
      /^(?:bodies: POST \/api\/users: no body|callers: .*: an invalid token on a public route that reads a body|cross-origin: POST \/api\/users: an origin|headers: .*: a problem with details|limits: POST \/api\/auth\/login: sign-in \d|paths: POST \/api\/users\/: a trailing slash|resources: POST \/api\/(?:auth\/login: a key on a route that ignores it|resources as ada: (?:a refusal with a key|the refusal again))|sessions: .*: an empty body|wire: (?:a body, then another request|no length))$/,
    change: replaceText(/"(\w+) must be an? (?:string|email)"/g, '"$1 is required"'),
    reason: 'a missing property is called required, not wrong',
  },
  {
    exchanges: /^bodies: POST \/api\/users: every fault$/,
    change: replaceText('roles is not a known property', 'roles requires the permission users:write'),
    reason: 'a sign-up with a property that administrators may set is told the permission it requires',
  },
];
