import { createHmac } from 'node:crypto';

import type { Client } from 'pg';

import { type Cluster, SUPERUSER } from './cluster.js';
import { close, connect } from './connection.js';

export const DATABASE = 'gatehouse';
/** The role that owns the database and its contents. Migrations run as this role. */
const OWNER = 'gatehouse_owner';
/** The role of the running service. It owns nothing. */
const SERVICE = 'gatehouse_service';

const TAKE_OVER_LOCK_TIMEOUT_MS = 30_000;

/** Addresses of the database `gatehouse`, including passwords. */
export interface EmbeddedUrls {
  /** The address for the role of the running service. */
  readonly url: string;
  /** The address for the owner of the database, used by migrations. */
  readonly ownerUrl: string;
  /** The address for tools that create their own databases. The service does not use it. */
  readonly superuserUrl: string;
}

export function urlsOf(cluster: Cluster, port: number): EmbeddedUrls {
  const urlOf = (role: string, password: string) =>
    `postgres://${role}:${encodeURIComponent(password)}@127.0.0.1:${port}/${DATABASE}`;
  return {
    url: urlOf(SERVICE, passwordOf(SERVICE, cluster)),
    ownerUrl: urlOf(OWNER, passwordOf(OWNER, cluster)),
    superuserUrl: urlOf(SUPERUSER, cluster.password),
  };
}

/**
 * Derives a role's password from the stored one. Every process on the same data can derive it, nothing more
 * is stored, and it does not reveal the stored password.
 */
function passwordOf(role: string, cluster: Cluster): string {
  return createHmac('sha256', cluster.password).update(role).digest('hex');
}

/**
 * Ensures that the two roles and the database exist. A database that an earlier version created as the
 * superuser is given to its owner. The caller must hold the start lock and pass a superuser's connection.
 */
export async function prepareDatabase(client: Client, cluster: Cluster, port: number): Promise<void> {
  const { rows } = await client.query<{ missing: string[]; owner: string | null }>(
    `select array(select unnest($1::text[]) except select rolname from pg_roles) as missing,
            (select pg_get_userbyid(datdba) from pg_database where datname = $2) as owner`,
    [[OWNER, SERVICE], DATABASE],
  );
  const { missing = [], owner = null } = rows[0] ?? {};
  for (const role of missing) {
    await client.query(`create role ${role} login password '${passwordOf(role, cluster)}'`);
  }
  if (owner === null) await client.query(`create database ${DATABASE} owner ${OWNER}`);
  else if (owner !== OWNER) await takeOver(cluster, port);
}

/**
 * Gives all objects in the database to the owner. REASSIGN OWNED cannot do it, because the superuser also
 * owns the catalogs.
 */
const TAKE_OVER = `
  do $$
  declare
    alteration text;
  begin
    for alteration in
      with schemas as (
        select oid, nspname, nspowner from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
      ), bound as (
        -- A partitioned table depends on its own key.
        select classid, objid from pg_depend where deptype in ('e', 'a', 'i') and refobjid <> objid
      )
      select format('schema %I', nspname) from schemas where nspowner = '${SUPERUSER}'::regrole
      union all
      select format('table %s', c.oid::regclass) from pg_class c
      where c.relkind in ('r', 'p', 'v', 'm', 'S') and c.relowner = '${SUPERUSER}'::regrole
        and c.relnamespace in (select oid from schemas)
        and not exists (select from bound where classid = 'pg_class'::regclass and objid = c.oid
                        and (c.relkind = 'S' or not c.relispartition))
      union all
      select format('routine %s', p.oid::regprocedure) from pg_proc p
      where p.proowner = '${SUPERUSER}'::regrole and p.pronamespace in (select oid from schemas)
        and not exists (select from bound where classid = 'pg_proc'::regclass and objid = p.oid)
      union all
      select format('type %s', t.oid::regtype) from pg_type t
      left join pg_class c on c.oid = t.typrelid
      where t.typowner = '${SUPERUSER}'::regrole and t.typnamespace in (select oid from schemas)
        and (t.typtype in ('d', 'e') or c.relkind = 'c')
        and not exists (select from bound where classid = 'pg_type'::regclass and objid = t.oid)
    loop
      execute format('alter %s owner to ${OWNER}', alteration);
    end loop;
  end $$;
  alter database ${DATABASE} owner to ${OWNER}`;

/**
 * Transfers the database to its owner in one transaction. The database's own owner changes last, so a start
 * killed midway leaves nothing changed.
 */
async function takeOver(cluster: Cluster, port: number): Promise<void> {
  const client = await connect(port, cluster.password, DATABASE);
  try {
    await client.query(`set lock_timeout = ${TAKE_OVER_LOCK_TIMEOUT_MS}`);
    await client.query(TAKE_OVER);
  } finally {
    await close(client);
  }
}
