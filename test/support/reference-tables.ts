import type { AuditAction } from '../../src/platform/audit-log/audit.types.js';
import type { Permission } from '../../src/common/authorization/permissions.js';
import type { Variable } from '../../src/config/config.schema.js';
import type { ReferenceSources, RouteFacts } from './reference-sources.js';

/** The pages under `docs/reference` with tables generated from the code, and the function for each table. */
export const referenceTables = {
  configuration: configurationTable,
  errors: errorTable,
  permissions: permissionTable,
  routes: routeTable,
  events: eventTable,
  'audit-actions': auditActionTable,
  metrics: metricTable,
} as const satisfies Record<string, (sources: ReferenceSources) => string>;

export type TableName = keyof typeof referenceTables;

/** Returns the page of a table; two tables share one page. */
export const pageOf = (name: TableName): string =>
  `docs/reference/${name === 'routes' ? 'permissions' : name}.md`;

export const tableNames = Object.keys(referenceTables) as TableName[];

/** Returns the page with one table regenerated between its markers. */
export function withTable(page: string, name: TableName, sources: ReferenceSources): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, end] = [page.indexOf(open), page.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`${pageOf(name)} lacks ${open} … ${close}`);
  const table = referenceTables[name](sources);
  return `${page.slice(0, start + open.length)}\n\n${table}\n\n${page.slice(end)}`;
}

/** Defaults that depend on the machine that generates the table. */
const MACHINE_DEFAULTS: Readonly<Record<string, string>> = { PASSWORD_CONCURRENCY: 'cores' };

function configurationTable({ variables }: ReferenceSources): string {
  return table(
    ['variable', 'default', 'in production', 'description'],
    Object.entries(variables).map(([name, variable]) => configurationRow(name, variable)),
  );
}

function configurationRow(name: string, variable: Variable): string[] {
  const usual = MACHINE_DEFAULTS[name] ?? shown(variable.default);
  const production = variable.production === null ? 'required' : shown(variable.production);
  const secret = variable.secret ? ' *(secret)*' : '';
  return [`\`${name}\`${secret}`, usual, production, variable.description];
}

/** Shows an absent value as a dash and an empty one as nothing. */
function shown(value: string | undefined): string {
  if (value === undefined) return '–';
  return value === '' ? '' : `\`${value}\``;
}

function errorTable({ errorCodes }: ReferenceSources): string {
  return table(
    ['code', 'status', 'default message', 'logged as'],
    Object.entries(errorCodes)
      .toSorted(([, a], [, b]) => a.status - b.status)
      .map(([code, { status, message, level }]) => [`\`${code}\``, String(status), message, level]),
  );
}

const permissionMeanings: Readonly<Record<Permission, string>> = {
  'users:read': 'Read and list every user',
  'users:write':
    'Add, change and import users; mail them invitations and password resets; disable and enable them in batches',
  'users:delete': 'Delete, restore and erase users, see deleted users, and read anyone’s data package',
  'roles:grant': 'Grant and revoke roles, and define and delete roles',
  'sessions:revoke': 'List and end the sessions of other users',
  'tokens:introspect': 'Ask whether an access token is valid, and what its user may do',
  'audit:read': 'Read, prove and verify the audit log',
  'events:read': 'Read the event feed',
  'export:run': 'Export users and the audit log',
  'resources:transfer': 'See, delete and transfer resources of other users',
  'webhooks:manage': 'Manage webhooks; what sends events to one also requires `events:read`',
  'flags:manage': 'Read and change feature flags, and evaluate them for other users',
  'jobs:manage': 'See and cancel the jobs of other users',
  'operations:manage': 'See the state of the installation and change log levels',
};

function permissionTable({ permissions, routes }: ReferenceSources): string {
  return table(
    ['permission', 'allows', 'routes that require it'],
    permissions.map((permission) => {
      const requiring = routes.filter(({ policy }) => permissionsOf(policy).includes(permission));
      const listed = requiring.map(({ method, path }) => `\`${method} ${path}\``).join('<br>');
      return [`\`${permission}\``, permissionMeanings[permission], listed || '–'];
    }),
  );
}

function routeTable({ routes }: ReferenceSources): string {
  return table(
    ['route', 'who may call it'],
    routes.map(({ method, path, policy }) => [`\`${method} ${path}\``, callersOf(policy)]),
  );
}

function permissionsOf(policy: RouteFacts['policy']): readonly Permission[] {
  switch (policy?.kind) {
    case 'permission':
    case 'self-or-permission':
      return [policy.permission];
    case 'one-of':
    case 'all-of':
      return policy.permissions;
    default:
      return [];
  }
}

function callersOf(policy: RouteFacts['policy']): string {
  const names = permissionsOf(policy).map((name) => `\`${name}\``);
  switch (policy?.kind) {
    case 'public':
      return 'everyone';
    case 'signed-in':
      return 'every signed-in user';
    case 'self-or-permission':
      return `the user itself, or ${names.join()}`;
    case 'one-of':
      return `one of ${names.join(', ')}, depending on the request`;
    case 'all-of':
      return names.join(' and ');
    case 'permission':
      return names.join();
    default:
      return 'nobody';
  }
}

/** The meaning of each event and its `data`. An event that is not stored has none. */
const eventMeanings: Readonly<Record<string, readonly [occurs: string, data: string]>> = {
  'user.created': [
    'A user signed up, was added or was imported',
    '`email`, `name`, `locale`, `status`, `roles`, `email_verified`',
  ],
  'user.updated': ['The name or the language changed', 'those of `name`, `locale` that changed'],
  'user.email_confirmed': ['An address was confirmed or changed', '`email`, `email_verified`'],
  'user.email_unconfirmed': ['An import marked an address as not confirmed', '`email_verified`'],
  'user.email_changed': [
    'An administrator changed an address or its confirmation',
    '`email`, `email_verified`',
  ],
  'user.disabled': ['A user was disabled', '`status`'],
  'user.enabled': ['A user was enabled', '`status`'],
  'user.deleted': ['A user was deleted; it can be restored for 30 days', '`status`'],
  'user.restored': ['A deletion was undone', '`status`'],
  'user.erased': ['The personal data of a user was destroyed', '`null`'],
  'user.roles_changed': ['The roles of a user changed', '`roles`'],
  'user.password_changed': ['The password was changed or reset', '`{}`'],
  'session.started': ['A user signed in', '`session_id`, `device`, `ip`'],
  'session.revoked': ['A session ended before it expired', '`session_id`'],
  'session.reuse_detected': ['A stolen refresh token was presented; its session ended', '`session_id`'],
  'role.changed': ['The permissions of a role changed', 'in-process only: not stored, not in the feed'],
  'webhook.paused': ['A webhook was paused', '`webhook_id`, `paused_reason`'],
  'webhook.test': ['Somebody sent a test event, which only this webhook receives', '`webhook_id`'],
  'resource.created': ['A resource was created', '`resource_id`, `type`, `name`, `external_id`, `owner_id`'],
  'resource.deleted': ['A resource was deleted', '`resource_id`'],
  'flag.changed': [
    'A feature flag was changed; the subject is `flag/<key>`',
    '`key`, `enabled`, `rollout_percent`, `allow_user_ids`',
  ],
  'ownership.transferred': [
    'Resources changed owner; one event for each side',
    '`transfer_id`, `resource_ids`, `from_user_id`, `to_user_id`',
  ],
};

function eventTable({ events }: ReferenceSources): string {
  return table(
    ['type', 'occurs when', 'data', 'listeners'],
    events.map(({ type, listeners }) => {
      const [occurs, data] = eventMeanings[type] ?? missing(`event ${type}`);
      return [`\`${type}\``, occurs, data, listeners.map((name) => `\`${name}\``).join('<br>') || '–'];
    }),
  );
}

const auditActionMeanings: Readonly<Record<AuditAction, string>> = {
  'auth.login': 'A sign-in, granted or refused; `reason` says why it was refused',
  'auth.refresh': 'A refresh token was exchanged',
  'auth.logout': 'A user ended the current session',
  'auth.password_change': 'A password was changed, or the change was refused',
  'auth.password_forgot': 'A password reset was requested for an existing user',
  'auth.password_reset': 'A password was reset with a mailed token',
  'auth.email_change': 'A change of address was requested, or the request was refused',
  'auth.reuse_detected': 'A refresh token was presented again after the grace period',
  'user.create': 'A user was created or imported',
  'user.update': 'A name or language changed, or an address was confirmed or changed by the user',
  'user.invite': 'An administrator had an invitation mailed to a user without a password',
  'user.password_reset': 'An administrator had a password reset mailed to a user',
  'user.email_change': 'An administrator changed the address of a user, or marked it as not confirmed',
  'user.disable': 'A user was disabled',
  'user.enable': 'A user was enabled',
  'user.roles_change': 'The roles of a user changed',
  'user.delete': 'A user was deleted',
  'user.restore': 'A deleted user was restored',
  'user.erase': 'The personal data of a user was destroyed',
  'user.recover': 'The owner of the database gave a user a one-time password with `npm run admin:recover`',
  'role.update': 'A role was created or its permissions changed',
  'role.delete': 'A role was deleted',
  'session.revoke': 'Sessions were ended, other than by signing out',
  'resource.create': 'A resource was created',
  'resource.delete': 'A resource was deleted',
  'resource.transfer': 'Resources changed owner',
  'flag.set': 'A feature flag was changed',
  'webhook.create': 'A webhook was created',
  'webhook.update': 'A webhook was changed, paused or continued; the service itself paused it after a 410',
  'webhook.delete': 'A webhook was deleted',
  'webhook.rotate_secret': 'A webhook got a new secret',
  'webhook.replay': 'Events of a range of time were requested again',
  'webhook.redeliver': 'A delivery was requested again',
  'webhook.test': 'A test event was sent to a webhook',
  'export.run': 'An export began or was resumed',
  'audit.read': 'The audit log was read',
  'audit.verify': 'The audit log was verified',
  'audit.retention': 'A month of the audit log was announced for removal',
  'permission.check': 'A request was refused because of a missing permission',
  'job.create': 'A bulk job was created',
  'job.cancel': 'A bulk job was cancelled',
  'key.rotate': 'A signing key was created',
  'instance.set_log_level': 'The log level of an instance was changed until its restart',
};

function auditActionTable({ auditActions }: ReferenceSources): string {
  return table(
    ['action', 'recorded when'],
    auditActions.map((action) => [`\`${action}\``, auditActionMeanings[action]]),
  );
}

function metricTable({ metrics }: ReferenceSources): string {
  return table(
    ['metric', 'type', 'labels', 'description'],
    metrics.map(({ name, type, labels, help }) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(', ') || '–',
      help,
    ]),
  );
}

function missing(what: string): never {
  throw new Error(`test/support/reference-tables.ts describes no ${what}`);
}

const line = (cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
