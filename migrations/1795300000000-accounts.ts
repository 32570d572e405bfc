import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Accounts, and roles with their permissions as rows. */
export class Accounts1795300000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE EXTENSION IF NOT EXISTS pg_trgm`);
    await runner.query(`
      CREATE TABLE roles (
        name text COLLATE "C" CONSTRAINT roles_pkey PRIMARY KEY,
        shipped boolean NOT NULL DEFAULT false,
        version integer NOT NULL DEFAULT 1,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE role_permissions (
        role text COLLATE "C" NOT NULL CONSTRAINT role_permissions_role_fkey REFERENCES roles (name) ON DELETE CASCADE,
        permission text COLLATE "C" NOT NULL,
        CONSTRAINT role_permissions_pkey PRIMARY KEY (role, permission)
      )`);
    await runner.query(
      `INSERT INTO roles (name, shipped) VALUES ('user', true), ('premium', true), ('auditor', true), ('admin', true)`,
    );
    await runner.query(`
      INSERT INTO role_permissions (role, permission)
      VALUES ('auditor', 'users:read'), ('auditor', 'audit:read'), ('auditor', 'events:read')`);
    await runner.query(`
      INSERT INTO role_permissions (role, permission)
      SELECT 'admin', unnest(ARRAY[
        'users:read', 'users:write', 'users:delete', 'roles:grant', 'sessions:revoke', 'audit:read',
        'events:read', 'export:run', 'resources:transfer', 'webhooks:manage', 'flags:manage', 'jobs:manage'])`);

    // Collation "C": keys compare by code point, the same on every server and in every cursor.
    await runner.query(`
      CREATE TABLE users (
        id uuid CONSTRAINT users_pkey PRIMARY KEY,
        email text NOT NULL,
        email_key text COLLATE "C" NOT NULL,
        name text NOT NULL,
        name_key text COLLATE "C" NOT NULL,
        search_key text COLLATE "C" NOT NULL,
        password_hash text,
        roles text[] COLLATE "C" NOT NULL,
        email_verified boolean NOT NULL DEFAULT false,
        disabled boolean NOT NULL DEFAULT false,
        deleted_at timestamptz(3),
        status text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
          CASE WHEN deleted_at IS NOT NULL THEN 'deleted' WHEN disabled THEN 'disabled' ELSE 'active' END
        ) STORED,
        version integer NOT NULL DEFAULT 1,
        last_login_at timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now()
      )`);
    await runner.query(`CREATE UNIQUE INDEX users_email_key_key ON users (email_key)`);
    // One ordered walk for each sort. What filters and searches ask of a row stands in the index, so that passing over a
    // row does not fetch it. An entry is bounded by the lengths of its columns: a third of a page is the most there is.
    const filtered = 'INCLUDE (status, roles, search_key)';
    await runner.query(
      `CREATE INDEX users_by_created_at ON users (created_at, id) ${filtered} WHERE status <> 'deleted'`,
    );
    await runner.query(
      `CREATE INDEX users_by_email ON users (email_key, id) ${filtered} WHERE status <> 'deleted'`,
    );
    await runner.query(
      `CREATE INDEX users_by_name ON users (name_key, id) ${filtered} WHERE status <> 'deleted'`,
    );
    // ... and one for each sort of the few accounts that are not active.
    const inactive = `INCLUDE (roles, search_key) WHERE status <> 'active'`;
    await runner.query(
      `CREATE INDEX users_inactive_by_created_at ON users (status, created_at, id) ${inactive}`,
    );
    await runner.query(`CREATE INDEX users_inactive_by_email ON users (status, email_key, id) ${inactive}`);
    await runner.query(`CREATE INDEX users_inactive_by_name ON users (status, name_key, id) ${inactive}`);
    // Where a walk meets too little: by trigrams, and by single characters and pairs for terms that have no trigram.
    await runner.query(`CREATE INDEX users_search ON users USING gin (search_key gin_trgm_ops)`);
    await runner.query(`
      CREATE FUNCTION search_pairs(searched text) RETURNS text[]
      LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
      DECLARE
        characters text[] := string_to_array(searched, NULL);
        found text[] := characters;
      BEGIN
        FOR i IN 1 .. cardinality(characters) - 1 LOOP
          found := found || (characters[i] || characters[i + 1]);
        END LOOP;
        RETURN found;
      END $$`);
    await runner.query(`CREATE INDEX users_search_pairs ON users USING gin (search_pairs(search_key))`);
    // The list asks the planner how frequent a term is: with a thousand samples it tells one in 200 from one in 2,000.
    // Nobody asks that of the pairs, which would take long to sample.
    await runner.query(`ALTER TABLE users ALTER COLUMN search_key SET STATISTICS 1000`);
    await runner.query(`ALTER INDEX users_search_pairs ALTER COLUMN 1 SET STATISTICS 0`);
    // Nearly every account has just the role "user": the index holds the others.
    await runner.query(`CREATE INDEX users_roles ON users USING gin (roles) WHERE roles <> ARRAY['user']`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE users`);
    await runner.query(`DROP FUNCTION search_pairs`);
    await runner.query(`DROP TABLE role_permissions`);
    await runner.query(`DROP TABLE roles`);
  }
}
