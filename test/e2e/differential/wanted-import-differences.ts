import { all, type Change, replaceText } from './wanted-changes.js';
import type { WantedDifference } from './wanted-differences.js';

const MORE_FORMATS = 'an import also reads JSON arrays, UTF-16 and gzip';

/** Turns the refusal of a media type into that of the body. */
const refusedByContent = (message: string): Change =>
  all(
    replaceText('415 Unsupported Media Type', '400 Bad Request'),
    replaceText('"status":415', '"status":400'),
    replaceText('"code":"UNSUPPORTED_MEDIA_TYPE"', '"code":"VALIDATION_ERROR","fields":["body"]'),
    replaceText('"code": "UNSUPPORTED_MEDIA_TYPE"', '"code": "VALIDATION_ERROR"'),
    replaceText(
      /"message": "Send the body as .*",\n( +)"request_id": "<uuid:1>"/g,
      [
        `"message": "${message}",`,
        '$1"request_id": "<uuid:1>",',
        '$1"details": [',
        '$1 {',
        '$1  "field": "body",',
        `$1  "message": "${message}"`,
        '$1 }',
        '$1]',
      ].join('\n'),
    ),
  );

const fields = (before: string, ...lines: readonly string[]): Change =>
  replaceText(
    new RegExp(`( +)${before}`, 'g'),
    [...lines.map((line) => `$1${line},`), `$1${before}`].join('\n'),
  );

/** More formats, options and results of imports, and a new batch action. */
export const importDifferences: readonly WantedDifference[] = [
  {
    exchanges: /^faults: POST \/api\/users\/import\?nothing=1 as admin: an unknown parameter$/,
    change: replaceText('nothing is not known here', 'nothing is not a known property'),
    reason: 'an import takes parameters now',
  },
  {
    exchanges:
      /^(?:faults: POST \/api\/users\/import as admin: a form|jobs: POST \/api\/users\/import as admin: (?:Latin-1|no file))$/,
    change: replaceText(
      'application/x-ndjson or text/csv in UTF-8, uncompressed',
      'application/x-ndjson, application/json or text/csv in UTF-8 or UTF-16, plain or compressed with gzip',
    ),
    reason: MORE_FORMATS,
  },
  {
    exchanges: /^jobs: POST \/api\/users\/import as admin: JSON$/,
    change: refusedByContent(
      'body must be a JSON array of users; send one user per line as application/x-ndjson',
    ),
    reason: MORE_FORMATS,
  },
  {
    exchanges: /^jobs: POST \/api\/users\/import as admin: a compressed file$/,
    change: refusedByContent('body must be valid gzip'),
    reason: MORE_FORMATS,
  },
  {
    exchanges: /^jobs: POST \/api\/users\/import as admin: no header$/,
    change: all(
      replaceText('columns email, name, password_hash,', 'columns email, name, locale, password_hash,'),
      replaceText('email_verified, status, roles"', 'email_verified, status, roles, created_at"'),
    ),
    reason: 'an import reads the locale and keeps the time of creation',
  },
  {
    exchanges: /^jobs: metrics$/,
    change: all(
      replaceText('import",status="400"} +2', 'import",status="400"} +4'),
      replaceText('import",status="415"} +4', 'import",status="415"} +2'),
    ),
    reason: MORE_FORMATS,
  },
  {
    exchanges: /^jobs: GET \/api\/jobs\/<import\.id>\/results as admin$/,
    change: all(
      fields('"status": "ok"', '"line": 2', '"email": "imported@example.com"', '"action": "created"'),
      fields('"status": "failed"', '"line": 3', '"email": "ada@example.com"'),
    ),
    reason: 'the results of an import name the line, the address and the action',
  },
  {
    exchanges: /^jobs: GET \/api\/jobs\/<lines\.id>\/results as admin$/,
    change: all(
      fields('"status": "ok"', '"line": 1', '"email": "line@example.com"', '"action": "created"'),
      fields('"status": "failed"', '"line": 2'),
    ),
    reason: 'the results of an import name the line, the address and the action',
  },
  {
    exchanges: /^jobs: POST \/api\/users\/batch as admin: an unknown action$/,
    change: replaceText('revoke_sessions"', 'revoke_sessions, send_reset, send_invitation"'),
    reason: 'the message lists the new actions',
  },
];
