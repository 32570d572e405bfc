import type { Ask, Group, Step } from '../step.types.js';
import { signIn } from './cast.js';

/** The latest seals depend on when the sealer ran. */
const SEAL_MASKS: Ask['masks'] = [
  [
    /"(number|entries|size|index|leaf_index|tree_size|seals|covered|verified|unsealed)": \d+/g,
    '"$1": <count>',
  ],
  [/"previous": "(?:<hash:\d+>|0+)"/g, '"previous": <previous>'],
];
const users = (query: string, title?: string): Ask => ({
  request: `GET /api/users?${query}`,
  as: 'admin',
  ...(title !== undefined && { title }),
});

/** Lists and their queries. */
export const lists: Group = {
  name: 'lists',
  service: 'open',
  steps: [
    users(''),
    {
      ...users('limit=2&sort=email'),
      capture: { 'page.cursor': { header: 'Link', match: /cursor=([^&>]+)/ } },
    },
    users('limit=2&sort=email&cursor=<page.cursor>'),
    users('limit=2&sort=-email&cursor=<page.cursor>', 'a cursor of another order'),
    users('limit=2&sort=email&cursor=<page.cursor>x', 'a changed cursor'),
    users('limit=2&sort=email&cursor=<page.cursor>&offset=1', 'a cursor and an offset'),
    ...[
      'cursor=',
      'cursor=AAAA',
      `cursor=${'A'.repeat(4097)}`,
      'limit=0',
      'limit=101',
      'limit=1e1',
      'limit=-1',
      'limit=',
      'limit',
      'limit=1&limit=2',
      'limit[]=1',
      'offset=1&limit=1',
      'offset=10001',
      'sort=name&limit=1',
      'sort=nothing',
      'status=active&limit=1',
      'status=deleted',
      'status=nothing',
      'role=auditor',
      'role=NO',
      'search=lovelace',
      'search=%20ADA%20',
      'search=%25',
      'search=%zz',
      'search=%ff',
      'search=a%00b',
      'search=a+b',
      `search=${'a'.repeat(355)}`,
      'total=exact&limit=1',
      'total=estimate&limit=1',
      'total=yes',
      '__proto__=1',
      '&&limit=1&',
      'limit=1#fragment',
      'Limit=1',
    ].map((query) => users(query)),
    { request: 'GET /api/users?status=deleted', as: 'auditor' },
    { request: 'GET /api/users?limit=1', as: 'auditor' },
    { request: 'GET /api/users?limit=1', as: 'support' },
    { request: 'GET /api/roles?total=exact', as: 'ada' },
    {
      request: 'GET /api/roles?limit=1',
      as: 'ada',
      capture: { 'role.cursor': { header: 'Link', match: /cursor=([^&>]+)/ } },
    },
    { request: 'GET /api/roles?limit=1&cursor=<role.cursor>', as: 'ada' },
    { request: 'GET /api/roles?offset=1&limit=1', as: 'ada' },
    { request: 'GET /api/users/<ada.id>?at=2000-01-01T00:00:00Z', as: 'admin' },
    { request: 'GET /api/users/<ada.id>?at=2999-01-01T00:00:00Z', as: 'admin' },
    { request: 'GET /api/users/<ada.id>?at=yesterday', as: 'admin' },
  ],
};

const feed = (request: string, as = 'admin', capture?: Ask['capture']): Ask => ({
  request: `GET ${request}`,
  as,
  ...(capture && { capture }),
});

/** Events, the audit log and its seals. */
export const history: Group = {
  name: 'history',
  service: 'open',
  steps: [
    {
      until: `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM events
        WHERE epoch = current_epoch() AND xid >= pg_snapshot_xmin(pg_current_snapshot()))`,
    },
    feed('/api/events?limit=3', 'admin', { 'event.position': { header: 'Link', match: /after=(\d+)/ } }),
    feed('/api/events?limit=3&after=<event.position>'),
    feed('/api/events?limit=2&type=role.changed', 'auditor'),
    feed('/api/events?type=nothing'),
    feed('/api/events?after=1'),
    feed('/api/events?limit=0'),
    feed('/api/users/<ada.id>/events?limit=2'),
    feed('/api/users/<ada.id>/events?limit=2', 'ada'),
    feed('/api/users/<grace.id>/events', 'ada'),
    feed('/api/users/<nobody>/events'),
    feed('/api/audit?limit=2'),
    feed('/api/audit?limit=1&action=user.create&total=exact', 'auditor', {
      'audit.cursor': { header: 'Link', match: /cursor=([^&>]+)/ },
    }),
    feed('/api/audit?limit=1&action=user.create&cursor=<audit.cursor>'),
    feed('/api/audit?limit=1&cursor=<audit.cursor>'),
    feed('/api/audit?actor_id=<support.id>'),
    feed('/api/audit?actor_id=x'),
    feed('/api/audit?target_id=support&limit=2'),
    feed('/api/audit?action=nothing'),
    feed('/api/audit?outcome=denied&limit=1'),
    feed('/api/audit?from=then'),
    feed('/api/audit?from=2001-01-01T00:00:00Z&to=2000-01-01T00:00:00Z'),
    feed('/api/audit?from=2000-01-01T00:00:00Z&to=2001-01-01T00:00:00Z'),
    feed('/api/audit/<entry.id>'),
    feed('/api/audit/<nobody>'),
    feed('/api/audit/<nobody>/proof'),
    {
      until: `SELECT 1 FROM audit_entries e WHERE id = '<entry.id>'
        AND (epoch, xid, seq) <= (SELECT epoch, xid, seq FROM audit_seals ORDER BY number DESC LIMIT 1)
        AND 1 < (SELECT count(*) FROM audit_seals)`,
    },
    { ...feed('/api/audit/seals?limit=1'), masks: SEAL_MASKS ?? [] },
    { ...feed('/api/audit/seals/latest', 'auditor'), masks: SEAL_MASKS ?? [] },
    {
      ...feed('/api/audit/<entry.id>/proof'),
      masks: [...(SEAL_MASKS ?? []), [/"(path|proof)": \[[^\]]*\]/g, '"$1": <hashes>']],
    },
    { request: 'POST /api/audit/verify', as: 'auditor', body: {}, masks: SEAL_MASKS ?? [] },
    { request: 'POST /api/audit/verify', as: 'auditor', title: 'a malformed time', body: { from: 'then' } },
    {
      request: 'POST /api/audit/verify',
      as: 'auditor',
      title: 'an empty range',
      body: { from: '2000-01-01T00:00:00Z', to: '2001-01-01T00:00:00Z' },
      masks: SEAL_MASKS ?? [],
    },
    {
      request: 'POST /api/audit/verify',
      as: 'auditor',
      title: 'with a key',
      headers: { 'Idempotency-Key': 'verify' },
      body: { to: '2001-01-01T00:00:00Z' },
      masks: SEAL_MASKS ?? [],
    },
    {
      request: 'POST /api/audit/verify',
      as: 'auditor',
      title: 'the key for another body',
      headers: { 'Idempotency-Key': 'verify' },
      body: {},
    },
  ],
};

const ended = (name: string): Step => ({
  until: `SELECT 1 FROM jobs WHERE id = '<${name}>' AND finished_at IS NOT NULL`,
});
const importFile = (
  title: string,
  type: string,
  body: string | Buffer,
  headers: Ask['headers'] = {},
): Ask => ({
  request: 'POST /api/users/import',
  as: 'admin',
  title,
  headers: { 'Content-Type': type, ...headers },
  body,
});
const CSV_FILE = 'email,name\nimported@example.com,Imported\nada@example.com,Taken\n';

/** Jobs: batches and imports. */
export const jobs: Group = {
  name: 'jobs',
  service: 'open',
  steps: [
    {
      request: 'POST /api/users/batch',
      as: 'admin',
      title: 'disable',
      headers: { 'Idempotency-Key': 'batch' },
      body: { action: 'disable', user_ids: ['<premium.id>', '<nobody>'] },
      capture: { 'disabling.id': { body: 'id' } },
    },
    {
      request: 'POST /api/users/batch',
      as: 'admin',
      title: 'the key for another body',
      headers: { 'Idempotency-Key': 'batch' },
      body: { action: 'enable', user_ids: ['<premium.id>'] },
    },
    ended('disabling.id'),
    { request: 'GET /api/users/me', as: 'premium', title: 'disabled by a batch' },
    {
      request: 'POST /api/users/batch',
      as: 'admin',
      title: 'enable',
      body: { action: 'enable', user_ids: ['<premium.id>'] },
      capture: { 'enabling.id': { body: 'id' } },
    },
    ended('enabling.id'),
    signIn('premium'),
    { request: 'GET /api/users/me', as: 'premium', title: 'enabled by a batch' },
    {
      request: 'POST /api/users/batch',
      as: 'admin',
      title: 'a dry run',
      body: { action: 'delete', user_ids: ['<ada.id>'], dry_run: true },
      capture: { 'dry.id': { body: 'id' } },
    },
    ended('dry.id'),
    { request: 'GET /api/jobs/<dry.id>/results', as: 'admin' },
    {
      request: 'POST /api/users/batch',
      as: 'support',
      title: 'an action without its permission',
      body: { action: 'revoke_sessions', user_ids: ['<ada.id>'] },
    },
    {
      request: 'POST /api/users/batch',
      as: 'admin',
      title: 'a role that the action does not take',
      body: { action: 'enable', role: 'premium', user_ids: ['<ada.id>'] },
    },
    {
      request: 'POST /api/users/batch',
      as: 'admin',
      title: 'an unknown action',
      body: { action: 'x', user_ids: ['<ada.id>'] },
    },
    {
      request: 'POST /api/users/batch',
      as: 'admin',
      title: 'no users',
      body: { action: 'enable', user_ids: [] },
    },
    { request: 'GET /api/jobs?limit=1', as: 'admin' },
    { request: 'GET /api/jobs?total=exact', as: 'ada' },
    { request: 'GET /api/jobs/<disabling.id>', as: 'admin' },
    { request: 'GET /api/jobs/<disabling.id>', as: 'ada' },
    { request: 'GET /api/jobs/<nobody>', as: 'admin' },
    { request: 'GET /api/jobs/<disabling.id>/results', as: 'admin' },
    { request: 'GET /api/jobs/<disabling.id>/results?status=failed&limit=1&total=exact', as: 'admin' },
    { request: 'GET /api/jobs/<disabling.id>/results?status=x', as: 'admin' },
    { request: 'GET /api/jobs/<nobody>/results', as: 'admin' },
    { request: 'GET /api/jobs/<disabling.id>/stream', as: 'admin' },
    {
      request: 'GET /api/jobs/<disabling.id>/stream',
      as: 'admin',
      title: 'gzip',
      headers: { 'Accept-Encoding': 'gzip' },
    },
    { request: 'GET /api/jobs/<disabling.id>/stream', as: 'ada' },
    { request: 'GET /api/jobs/<nobody>/stream', as: 'admin' },
    { request: 'HEAD /api/jobs/<disabling.id>/stream', as: 'admin' },
    { request: 'DELETE /api/jobs/<disabling.id>', as: 'admin', title: 'ended' },
    { request: 'DELETE /api/jobs/<disabling.id>', as: 'ada' },
    { request: 'DELETE /api/jobs/<nobody>', as: 'admin' },
    {
      ...importFile('CSV', 'text/csv', CSV_FILE, { 'Idempotency-Key': 'file' }),
      capture: { 'import.id': { body: 'id' } },
    },
    ended('import.id'),
    importFile('CSV with the key again', 'text/csv', CSV_FILE, { 'Idempotency-Key': 'file' }),
    { request: 'GET /api/jobs/<import.id>/results', as: 'admin' },
    {
      ...importFile(
        'NDJSON',
        'application/x-ndjson; charset=utf-8',
        '{"email":"line@example.com","name":"Line"}\n{',
      ),
      capture: { 'lines.id': { body: 'id' } },
    },
    ended('lines.id'),
    { request: 'GET /api/jobs/<lines.id>/results', as: 'admin' },
    importFile('no header', 'text/csv', 'wrong'),
    importFile('an empty file', 'text/csv', ''),
    importFile('JSON', 'application/json', '{}'),
    importFile('Latin-1', 'text/csv; charset=latin1', CSV_FILE),
    importFile('a compressed file', 'text/csv', CSV_FILE, { 'Content-Encoding': 'gzip' }),
    { ...importFile('without the permission', 'text/csv', CSV_FILE), as: 'ada' },
    { request: 'POST /api/users/import', as: 'admin', title: 'no file' },
  ],
};

const exported = (query: string, title?: string, headers?: Ask['headers']): Ask => ({
  request: `GET /api/export/users${query}`,
  as: 'admin',
  ...(title !== undefined && { title }),
  ...(headers && { headers }),
  masks: [
    [/^ {2}id: \S+$/gm, '  id: <export cursor>'],
    [/"last_login_at":(?:null|"<time>")/g, '"last_login_at":<login>'],
    [/,(?:<time>)?(,<time>,<time>)$/gm, ',<login>$1'],
  ],
});
const accept = (value: string): Ask => exported('?search=lovelace', `Accept: ${value}`, { Accept: value });

/** Exports in their formats. */
export const exports: Group = {
  name: 'exports',
  service: 'open',
  steps: [
    { ...exported('?search=ada'), capture: { 'export.cursor': { header: 'X-Export-Cursor' } } },
    exported('?search=ada&after=<export.cursor>&received=1'),
    exported('?search=ada', 'Last-Event-ID', { 'Last-Event-ID': '<export.cursor>' }),
    exported('?search=nobody-at-all', 'nothing'),
    ...['sse', 'ndjson', 'csv'].map((format) => exported(`?format=${format}&search=ada&fields=id,email`)),
    exported('?format=xml'),
    exported('?after=nothing'),
    exported('?received=-1'),
    exported('?fields=id,id'),
    exported('?fields=password'),
    exported('?format=ndjson&status=deleted&fields=id,status'),
    { request: 'GET /api/export/users?status=deleted', as: 'auditor' },
    accept('text/event-stream'),
    accept('application/x-ndjson'),
    accept('text/csv;q=0.5, application/x-ndjson;q=0.1'),
    accept('*/*'),
    accept('text/*'),
    accept('image/png'),
    accept('text/csv;q=0'),
    accept(''),
    ...['gzip', 'br', 'deflate', 'identity', '*', 'gzip;q=0'].map((coding) =>
      exported('?format=ndjson&fields=id,email', `Accept-Encoding: ${coding}`, { 'Accept-Encoding': coding }),
    ),
    ...['sse', 'csv'].map((format) =>
      exported(`?format=${format}&fields=id`, 'gzip', { 'Accept-Encoding': 'gzip' }),
    ),
    { ...exported('?format=csv'), request: 'HEAD /api/export/users?format=csv' },
    exported('?format=csv', 'a range', { Range: 'bytes=0-9' }),
    { request: 'GET /api/export/audit?format=ndjson&action=role.update&fields=id,action', as: 'admin' },
    { ...exported(''), request: 'GET /api/export/audit?action=role.update' },
    { request: 'GET /api/export/audit?format=csv&action=role.update&fields=action', as: 'admin' },
    { request: 'GET /api/export/audit?from=then', as: 'admin' },
    {
      request: 'GET /api/export/audit',
      as: 'admin',
      title: 'another media type',
      headers: { Accept: 'image/png' },
    },
    { request: 'GET /api/export/audit?after=nothing', as: 'admin' },
    {
      request: 'GET /api/export/users?after=<export.cursor>&format=csv',
      as: 'admin',
      title: 'a cursor of other filters',
    },
  ],
};
