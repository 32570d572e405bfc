-- The two roles of Gatehouse and its database, on a server of your own (PostgreSQL 16 or newer). To be run
-- once by a superuser, or by a role that may create roles and databases; to run it again changes nothing.
--
--   psql --dbname=postgres --file=deploy/database-roles.sql
--   psql --dbname=postgres --variable=database=accounts --variable=owner=accounts_owner --variable=service=accounts_service ...
--
-- No password is written here. Give each role its own afterwards; psql sends it hashed:
--
--   \password gatehouse_owner      for MIGRATION_DATABASE_URL
--   \password gatehouse_service    for DATABASE_URL (and LISTEN_DATABASE_URL)
--
-- A database that one role served so far: name that role as the owner, and the service gets the new one. What the service
-- may do with each table, and how long its transactions may last, is seen to at every start: nothing is left to do here later.

\set ON_ERROR_STOP on
\if :{?database} \else \set database gatehouse \endif
\if :{?owner} \else \set owner gatehouse_owner \endif
\if :{?service} \else \set service gatehouse_service \endif

SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', role)
FROM unnest(ARRAY[:'owner', :'service']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)
\gexec

-- A role that creates a database for another must be able to become that one; a superuser is anyway.
SELECT format('GRANT %I TO CURRENT_USER WITH SET TRUE', :'owner')
WHERE NOT pg_has_role(:'owner', 'SET')
\gexec

SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8''', :'database', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database')
\gexec

-- Nobody else on this server has business there.
REVOKE CONNECT, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"service";
