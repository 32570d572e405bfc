import type pg from 'pg';
import { QUEUE_SCHEMA } from '../queue-schema.js';
import { connectionOptions } from '../driver/connections/connection-options.js';
import { connectForStart } from './start-connection.js';

/**
 * Limits on the time for which the service's role may hold back the horizon of the event log (and vacuum).
 * They do not apply to the owner, because a migration may take longer.
 */
const LIMITS = [
  { name: 'idle_in_transaction_session_timeout', value: '10s', since: 160_000 },
  { name: 'transaction_timeout', value: '30s', since: 170_000 },
] as const;

/**
 * Selects the privileges granted to PUBLIC and the service's role, as rows of `privilege_type` and `grantee`.
 */
const granted = (acl: string) =>
  `(SELECT a.privilege_type, a.grantee FROM aclexplode(${acl}) AS a WHERE a.grantee IN (0, service.oid))`;
/**
 * Restricts to objects whose privileges the migrating role may grant, without those that belong to an
 * extension.
 */
const ownedPrivileges = (catalog: string, oid: string, owner: string) =>
  `pg_has_role(${owner}, 'USAGE') AND NOT EXISTS (
     SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

/**
 * Selects the relations and the privileges the service needs on each. The comment on a table decides:
 * `append-only` (read and insert) or `read-only` (only the owner writes). A table without one of these words
 * is an ordinary table. A partition is accessed through its parent.
 */
const RELATIONS = `
  SELECT c.oid, c.oid::regclass AS name, c.relrowsecurity, c.relacl AS acl,
         CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
         CASE
           WHEN c.relkind = 'S' THEN ARRAY['USAGE']
           WHEN c.relispartition THEN ARRAY[]::text[]
           WHEN c.relkind IN ('v', 'm') OR c.relname = 'migrations' OR d.description ~ '^read-only\\M' THEN ARRAY['SELECT']
           WHEN d.description ~ '^append-only\\M' THEN ARRAY['SELECT', 'INSERT']
           ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']
         END AS wanted
  FROM pg_class c
  LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = 0
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relnamespace = ANY (SELECT oid FROM schemas)
    AND ${ownedPrivileges('pg_class', 'c.oid', 'c.relowner')}`;

/** Selects one statement per row, and none when the role has exactly the privileges it needs. */
const CHANGES = `
  WITH service AS (
    SELECT oid, quote_ident(rolname) AS name FROM pg_roles
    WHERE rolname = $1 AND NOT rolsuper AND rolname <> current_user
  ), schemas AS (
    SELECT oid, quote_ident(nspname) AS name, nspowner, nspacl FROM pg_namespace WHERE nspname = ANY ($2)
  ), relations AS (${RELATIONS}
  ), routines AS (
    SELECT p.oid, p.oid::regprocedure AS name, p.prosecdef, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
    FROM pg_proc p
    WHERE p.pronamespace = ANY (SELECT oid FROM schemas) AND ${ownedPrivileges('pg_proc', 'p.oid', 'p.proowner')}
  ), of_database AS (
    SELECT quote_ident(datname) AS name, datname, datacl FROM pg_database
    WHERE datname = current_database() AND pg_has_role(datdba, 'USAGE')
  )
  SELECT format('GRANT CONNECT ON DATABASE %s TO %s', d.name, service.name) AS statement
  FROM service, of_database d WHERE NOT has_database_privilege(service.oid, d.datname, 'CONNECT')
  UNION ALL
  SELECT format('REVOKE CREATE ON DATABASE %s FROM PUBLIC, %s', d.name, service.name)
  FROM service, of_database d WHERE EXISTS (SELECT FROM ${granted('d.datacl')} WHERE privilege_type = 'CREATE')
  UNION ALL
  SELECT format('GRANT USAGE ON SCHEMA %s TO %s', s.name, service.name)
  FROM service, schemas s
  WHERE pg_has_role(s.nspowner, 'USAGE') AND NOT has_schema_privilege(service.oid, s.oid, 'USAGE')
  UNION ALL
  SELECT format('REVOKE CREATE ON SCHEMA %s FROM PUBLIC, %s', s.name, service.name)
  FROM service, schemas s
  WHERE pg_has_role(s.nspowner, 'USAGE') AND EXISTS (SELECT FROM ${granted('s.nspacl')} WHERE privilege_type = 'CREATE')
  UNION ALL
  SELECT format('GRANT %s ON %s %s TO %s', string_agg(privilege, ', '), r.kind, r.name, service.name)
  FROM service, relations r, unnest(r.wanted) AS privilege
  WHERE CASE r.kind WHEN 'SEQUENCE' THEN NOT has_sequence_privilege(service.oid, r.oid, privilege)
             ELSE NOT has_table_privilege(service.oid, r.oid, privilege) END
  GROUP BY r.kind, r.name, service.name
  UNION ALL
  SELECT format('REVOKE %s ON %s %s FROM PUBLIC, %s',
                string_agg(DISTINCT privilege_type, ', '), r.kind, r.name, service.name)
  FROM service, relations r, LATERAL (
    SELECT privilege_type FROM ${granted('r.acl')}
    UNION ALL
    SELECT g.privilege_type FROM pg_attribute a, LATERAL ${granted('a.attacl')} AS g WHERE a.attrelid = r.oid
  ) AS surplus
  WHERE NOT privilege_type = ANY (r.wanted)
  GROUP BY r.kind, r.name, service.name
  UNION ALL
  SELECT format('CREATE POLICY %s ON %s TO %s USING (true) WITH CHECK (true)', service.name, r.name, service.name)
  FROM service, relations r
  WHERE r.relrowsecurity
    AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = r.oid AND service.oid = ANY (p.polroles))
  UNION ALL
  SELECT format('GRANT EXECUTE ON ROUTINE %s TO %s', f.name, service.name)
  FROM service, routines f
  WHERE NOT EXISTS (
    SELECT FROM ${granted('f.acl')} WHERE privilege_type = 'EXECUTE' AND (grantee <> 0 OR NOT f.prosecdef))
  UNION ALL
  SELECT format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', f.name)
  FROM service, routines f
  WHERE f.prosecdef AND EXISTS (SELECT FROM ${granted('f.acl')} WHERE grantee = 0)`;

/**
 * Grants the role of `serviceUrl` the privileges the service needs in this database, revokes all others, and
 * limits its transactions. Changes nothing when nothing is missing, when that role owns the tables (only one
 * role exists), or when it is a superuser.
 *
 * Only the service may execute functions that run with the owner's rights (SECURITY DEFINER). The job queue's
 * tables use row security that hides every row from other roles, so the service gets a policy for them.
 * @param owner a connection of the role that has migrated
 * @returns the statements that were needed
 * @throws DatabaseStartError when the service's role cannot connect
 */
export async function grantServicePrivileges(owner: pg.ClientBase, serviceUrl: string): Promise<string[]> {
  const { Client, ...address } = connectionOptions(serviceUrl);
  const service = new Client(address).user;
  const { rows } = await owner.query<{ statement: string }>(CHANGES, [service, ['public', QUEUE_SCHEMA]]);
  const statements = rows.map(({ statement }) => statement);
  // One query string runs as one transaction.
  if (statements.length > 0) await owner.query(statements.join(';\n'));
  return [...statements, ...(await limitTransactions(owner, serviceUrl, service))];
}

/**
 * Sets the limits as the service's role itself, because the owner may not, and every role may set its own.
 * Existing limits are kept.
 */
async function limitTransactions(
  owner: pg.ClientBase,
  serviceUrl: string,
  service: string | undefined,
): Promise<string[]> {
  const { rows } = await owner.query<{ name: string; value: string }>(
    `SELECT wanted.name, wanted.value
     FROM pg_roles r, unnest($2::text[], $3::text[], $4::integer[]) AS wanted (name, value, since)
     WHERE r.rolname = $1 AND NOT r.rolsuper AND r.rolname <> current_user
       AND current_setting('server_version_num')::integer >= wanted.since
       AND NOT EXISTS (SELECT FROM pg_db_role_setting s, unnest(s.setconfig) AS setting
                       WHERE s.setrole = r.oid AND split_part(setting, '=', 1) = wanted.name)`,
    [
      service,
      LIMITS.map(({ name }) => name),
      LIMITS.map(({ value }) => value),
      LIMITS.map(({ since }) => since),
    ],
  );
  const statements = rows.map(({ name, value }) => `ALTER ROLE CURRENT_USER SET ${name} = '${value}'`);
  // Always connects: an address that does not work should fail now, not at the first request.
  const client = await connectForStart({ name: 'DATABASE_URL', url: serviceUrl });
  try {
    if (statements.length > 0) await client.query(statements.join(';\n'));
  } finally {
    await client.end();
  }
  return statements;
}
