import {
  addAccessLine,
  addCorsWarning,
  addDataParts,
  addDryRun,
  addEmptyLine,
  addEntryAddresses,
  addHeader,
  addLocale,
  addLog,
  addMetric,
  all,
  keepOutOfCaches,
  omitHeader,
  replaceHeader,
  replaceText,
  type Change,
  underApi,
} from './wanted-changes.js';
import { operationDifferences } from './wanted-operation-differences.js';
import { importDifferences } from './wanted-import-differences.js';
import { refusalDifferences } from './wanted-refusals.js';

/** A difference from the recorded build that was made on purpose. */
export interface WantedDifference {
  /** Matches the group and the title of each exchange that differs, such as `users: GET /api/users as ada`. */
  readonly exchanges: RegExp;
  readonly change: Change;
  readonly reason: string;
}

const INPUT_FIRST =
  'the gate refuses faulty input before the headers of the route: a refusal is not what they describe';
const SECRETS =
  /^(?:faults: (?:POST \/api\/auth\/(?:login|refresh)|PUT \/api\/auth\/password)(?:\?nothing=1)? as admin|sessions: POST \/api\/auth\/login): (?:an unknown parameter|broken JSON|a form|a body above the limit|a forbidden property)$/;

/** Input that the gate refuses. */
const refusedInput: readonly WantedDifference[] = [
  {
    exchanges: SECRETS,
    change: all(
      replaceHeader('Cache-Control: no-store, no-transform', 'Cache-Control: no-store'),
      replaceHeader('Vary: Origin', 'Vary: Origin, Accept-Encoding'),
    ),
    reason: `${INPUT_FIRST}, and contains no secret that compression could give away`,
  },
  {
    exchanges: /^(?:faults|paths): GET \/\.well-known\/jwks\.json\?/,
    change: omitHeader('Cache-Control: public, max-age=300'),
    reason: `${INPUT_FIRST}, and must not be cached for 5 minutes`,
  },
  {
    exchanges:
      /^(?:faults|bodies): POST \/api\/auth\/logout(?:\?nothing=1)? as \w+: (?:an unknown parameter|a form|a body above the limit|a body that is not expected)$/,
    change: omitHeader('Clear-Site-Data: "cache", "storage"'),
    reason: `${INPUT_FIRST}, and must not make a browser clear its data while the session goes on`,
  },
  {
    exchanges: /^(?:faults|pages|cross-origin): GET \/metrics\?/,
    change: omitHeader('Cache-Control: no-store'),
    reason: INPUT_FIRST,
  },
];

const refusal = addLog({ msg: 'refused', code: 'VALIDATION_ERROR' });
const AMBIGUOUS =
  /^(?:faults: GET \S+: an invalid host|callers: .*: two tokens|resources: .*: two keys|wire: (?:HTTP\/0\.9|no Host|two Hosts|a Host with a path|an absolute target of another host|another coding|chunks in HTTP\/1\.0|two types|two origins|two ranges))$/;

/** Requests that are refused before they are routed. */
const refusedAtTheEdge: readonly WantedDifference[] = [
  {
    exchanges: AMBIGUOUS,
    change: all(addHeader('Vary: Accept-Encoding'), underApi(addHeader('Cache-Control: no-store'))),
    reason: 'a refusal has the headers of every response of its path',
  },
  {
    exchanges: AMBIGUOUS,
    change: all(refusal, addAccessLine()),
    reason: 'a request that the edge refuses as ambiguous is logged like every other one',
  },
  {
    exchanges: /^paths: GET \/(?:api\/users\/%zz|%zz|%ff) as ada$/,
    change: all(refusal, addAccessLine()),
    reason: 'a request whose path cannot be decoded is logged like every other one',
  },
];

const documentation = (exchanges: RegExp, change: Change): WantedDifference => ({
  exchanges,
  change,
  reason: 'requests of the documentation are logged like all others',
});

/** The pages of Swagger UI, its files and the document. */
const documentationLines: readonly WantedDifference[] = [
  documentation(/^pages: GET \/docs\/?(?:: an origin)?$/i, all(addEmptyLine, addAccessLine('/docs'))),
  documentation(/^pages: HEAD \/docs$/, addAccessLine('/docs')),
  documentation(/^pages: GET \/docs\/index\.html$/, all(addEmptyLine, addAccessLine('/docs/index.html'))),
  documentation(
    /^pages: GET \/docs\/swagger-ui-init\.js$/,
    // It contains the document, which changes with the API.
    all((text) => text.replace(/^ {2}\(\d+ bytes.*$/m, ''), addAccessLine('/docs/swagger-ui-init.js')),
  ),
  documentation(/^pages: GET \/docs\/(?:swagger-ui\.css|favicon-32x32\.png)(?:: .*)?$/, addAccessLine()),
  documentation(/^pages: GET \/openapi\.json(?:: gzip)?$/, all(addEmptyLine, addAccessLine('/openapi.json'))),
  documentation(/^pages: HEAD \/openapi\.json$/, addAccessLine('/openapi.json')),
];

const EVERY_REQUEST =
  'each request is one line with its id (docs/operations/metrics.md), also one that the edge answers itself';

/** Requests that the recorded build answered before its logger knew them. */
const answeredAtTheEdge: readonly WantedDifference[] = [
  {
    exchanges:
      /^(?:cross-origin: OPTIONS \/api\/users\/me: Origin: (?:https:\/\/evil\.example|null|http:\/\/localhost\.evil\.example|)|production: OPTIONS \/api\/users\/me: a preflight)$/,
    change: addCorsWarning,
    reason: EVERY_REQUEST,
  },
  {
    exchanges: /^cross-origin: OPTIONS (?!.*: (?:an origin, no preflight|a method without an origin)$)/,
    change: addAccessLine(),
    reason: EVERY_REQUEST,
  },
  {
    exchanges: /^wire: an asterisk$/,
    change: all(addLog({ msg: 'refused', code: 'NOT_FOUND' }), addAccessLine()),
    reason: EVERY_REQUEST,
  },
  {
    exchanges: /^headers: GET \/health\/live: another expectation$/,
    change: all(addHeader('Vary: Accept-Encoding'), refusal),
    reason: 'an unknown expectation is refused like an ambiguous request',
  },
];

/** The help of a metric. */
const sharedRoundTrips: WantedDifference = {
  exchanges: /^(?:first-reads|production): GET \/metrics/,
  change: replaceText(
    'db_query_duration_seconds Time from sending a statement to its result',
    'db_query_duration_seconds Time from sending a statement, and those that travel with it, to its result',
  ),
  reason: 'the statements of a transaction share round trips, so a batch is measured once',
};

const liveEventMetrics: WantedDifference = {
  exchanges: /^(?:first-reads|production): GET \/metrics/,
  change: replaceText(
    /(?<=# TYPE sign_in_throttled_total counter\n)( *)/g,
    `$1# HELP event_streams_open Open event streams by kind: sse, websocket
$1# TYPE event_streams_open gauge
$1# HELP event_stream_events_total Events sent to the readers of event streams
$1# TYPE event_stream_events_total counter
$1# HELP event_streams_closed_total Event streams that ended, by reason: client, session, slow, stop, policy, dead, error
$1# TYPE event_streams_closed_total counter
$1`,
  ),
  reason: 'event streams are counted (docs/guides/events.md)',
};

const callsToOthers: WantedDifference = {
  exchanges: /^(?:first-reads|production): GET \/metrics/,
  change: all(
    addMetric('sign_ins_total', [
      'breached_password_checks_total',
      'counter',
      'New passwords compared with those of breaches, by result; failed ones were accepted unchecked',
    ]),
    ...(
      [
        ['outbound_requests_total', 'counter', 'Requests to other systems, each attempt for itself'],
        [
          'outbound_request_duration_seconds',
          'histogram',
          'Time from the start of an attempt to the end of its response',
        ],
        ['outbound_breakers', 'gauge', 'Hosts by the state of their circuit breaker'],
        [
          'outbound_cache_lookups_total',
          'counter',
          'Lookups in the cache of responses; shared ones waited for a request in progress',
        ],
      ] as const
    ).map((metric) => addMetric('http_requests_total', metric)),
  ),
  reason: 'the service calls other systems (docs/operations/outbound-calls.md)',
};

const deliveries: WantedDifference = {
  exchanges: /^(?:first-reads|production): GET \/metrics/,
  change: all(
    ...(
      [
        [
          'webhook_attempts_total',
          'counter',
          'Attempts to deliver an event; the last failed one of a delivery counts as dead',
        ],
        [
          'webhook_deliveries_pending',
          'gauge',
          'Deliveries that wait, those of paused webhooks included, up to 100,000',
        ],
        [
          'webhook_deliveries_dead',
          'gauge',
          'Deliveries that failed for good in the last 30 days, up to 100,000',
        ],
        ['webhooks_paused', 'gauge', 'Webhooks that are paused'],
      ] as const
    ).map((metric) => addMetric('outbound_requests_total', metric)),
    addMetric('gatehouse_password_queue_depth', [
      'event_sink_sent_total',
      'counter',
      'Events sent to the Redis stream',
    ]),
    addMetric('gatehouse_password_queue_depth', [
      'event_sink_lag_seconds',
      'gauge',
      'Age of the oldest event that the Redis stream lacks, in seconds; 0 on instances that do not send',
    ]),
  ),
  reason: 'webhooks and the Redis stream are measured (docs/reference/metrics.md)',
};

/** Users in all forms: bodies, lines of exports, and what changed in audit entries. */
const locales: WantedDifference = {
  exchanges: /./,
  change: addLocale,
  reason: 'users have a locale (docs/guides/mails.md)',
};

/** Lists of everything that is accepted, and of the methods of a path. */
const additions: readonly WantedDifference[] = [
  {
    exchanges: /^exports: GET \/api\/export\/users\?fields=password as admin$/,
    change: replaceText('id, email, name, status,', 'id, email, name, locale, status,'),
    reason: 'exports contain the locale',
  },
  {
    exchanges: /^history: GET \/api\/audit\?action=nothing as admin$/,
    change: all(
      replaceText(
        'user.update, user.disable,',
        'user.update, user.invite, user.password_reset, user.email_change, user.disable,',
      ),
      replaceText('user.erase, role.update,', 'user.erase, user.recover, role.update,'),
      replaceText('role.update, session.revoke,', 'role.update, role.delete, session.revoke,'),
      replaceText(
        'permission.check, job.create,',
        'permission.check, flag.set, webhook.create, webhook.update, webhook.delete, webhook.rotate_secret, webhook.replay, webhook.redeliver, webhook.test, job.create,',
      ),
      replaceText(
        'must be one of the following values:',
        'must be one or more of the following values, separated by commas:',
      ),
    ),
    reason: 'more is audited, and the filter takes several actions',
  },
  {
    exchanges: /^methods: OPTIONS \/api\/roles\/(?:auditor|support)$/,
    change: replaceHeader('Allow: GET, HEAD, PUT', 'Allow: DELETE, GET, HEAD, PUT'),
    reason: 'a role that nobody has can be deleted',
  },
  {
    exchanges: /^methods: OPTIONS \/api\/users\/me\/email$/,
    change: replaceHeader('Allow: POST', 'Allow: POST, PUT'),
    reason: 'the path matches that of another user’s address too, for which `me` is not a valid id',
  },
];

/** Readers of the feed can join it at its end or at a time, and are always told where to go on. */
const joiningTheFeed: readonly WantedDifference[] = [
  {
    exchanges:
      /^(?:history: GET \/api\/events\?(?!after=1 |limit=0 |type=nothing |limit=2&type=)|history: GET \/api\/users\/<ada\.id>\/events|(?:first-reads|methods): (?:GET|HEAD) \/api\/(?:events|users\/<grace\.id>\/events) as admin$)/,
    change: addHeader('X-Next-Position: <next position>'),
    reason: 'every page of the feed says where to go on',
  },
  {
    exchanges: /^history: GET \/api\/events\?after=1 as admin$/,
    change: replaceText('position of an event"', 'position of an event, or latest"'),
    reason: 'the message names the new value',
  },
];

/** Audit entries in all forms. */
const entryAddresses: WantedDifference = {
  exchanges: /./,
  change: addEntryAddresses,
  reason: 'an entry shows the addresses of its users to callers who may read them',
};

/** Data packages. */
const dataParts: WantedDifference = {
  exchanges: /\/data\b/,
  change: addDataParts,
  reason: 'a data package contains the deliveries to webhooks and the flags that list the user',
};

/** Jobs in all forms. */
const dryRuns: WantedDifference = {
  exchanges: /./,
  change: addDryRun,
  reason: 'a job says whether it changes anything',
};

/** The permission `tokens:introspect` and the metadata for other services. */
const trustedTokens: readonly WantedDifference[] = [
  {
    exchanges: /: GET \/api\/roles/,
    change: all(
      replaceText(
        /( +)"sessions:revoke",\n(?=(?:.*\n){0,4} +"webhooks:manage")/g,
        '$&$1"tokens:introspect",\n',
      ),
      replaceText(/("name": "admin",(?:.*\n)+?.*"version": )1\b/g, '$12'),
      replaceText('"admin.1"', '"admin.2"'),
    ),
    reason: 'the role admin has a new permission, and so a new version',
  },
  {
    exchanges: /: PUT \/api\/roles\//,
    change: replaceText('sessions:revoke, audit:read', 'sessions:revoke, tokens:introspect, audit:read'),
    reason: 'the message lists the new permission',
  },
];

const absoluteProbes: WantedDifference = {
  exchanges: /^wire: an absolute target/,
  change: replaceText(/\nlog .*"msg":"request","path":"http:.*/g, ''),
  reason: 'a probe has no line, also when its target names the scheme and the host',
};

const uncached: WantedDifference = {
  exchanges: /./,
  change: keepOutOfCaches,
  reason: 'the body of an error depends on Accept, so no cache may keep it',
};

/** Every wanted difference. The test fails for one that no longer applies. */
export const wantedDifferences: readonly WantedDifference[] = [
  sharedRoundTrips,
  liveEventMetrics,
  callsToOthers,
  deliveries,
  locales,
  ...additions,
  ...refusedInput,
  ...refusedAtTheEdge,
  ...documentationLines,
  ...answeredAtTheEdge,
  ...joiningTheFeed,
  entryAddresses,
  dataParts,
  dryRuns,
  ...trustedTokens,
  ...operationDifferences,
  ...importDifferences,
  ...refusalDifferences,
  absoluteProbes,
  uncached,
];
