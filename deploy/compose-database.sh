#!/bin/sh
# Run once by the image of PostgreSQL, when its volume is empty: the roles of docker-compose.yml, with their passwords.
set -eu
psql --no-psqlrc --username="$POSTGRES_USER" --dbname=postgres --file=/deploy/database-roles.sql
# Handed over by the environment: arguments can be read by every process.
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD
ALTER ROLE gatehouse_owner PASSWORD :'owner_password';
ALTER ROLE gatehouse_service PASSWORD :'service_password';
SQL
