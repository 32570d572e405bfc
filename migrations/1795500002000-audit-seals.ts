import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What proves the audit trail: the keys that sign, and a seal for each second in which entries settled. */
export class AuditSeals1795500002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The public half stands in the open, so that seals can be checked when the master key is lost.
    await runner.query(`
      CREATE TABLE audit_keys (
        kid text COLLATE "C" CONSTRAINT audit_keys_pkey PRIMARY KEY,
        public_key bytea NOT NULL,
        private_key_sealed bytea NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      )`);
    await runner.query(`SELECT make_append_only('audit_keys')`);
    await runner.query(`COMMENT ON TABLE audit_keys IS 'append-only: what signs the seals'`);
    // Hashes do not compress: EXTERNAL spares the attempt.
    await runner.query(`
      CREATE TABLE audit_seals (
        number bigint CONSTRAINT audit_seals_pkey PRIMARY KEY,
        epoch integer NOT NULL,
        xid xid8 NOT NULL,
        seq bigint NOT NULL,
        entries integer NOT NULL,
        root bytea NOT NULL,
        previous bytea NOT NULL,
        sealed_at timestamptz(3) NOT NULL,
        kid text COLLATE "C" NOT NULL,
        hash bytea NOT NULL,
        signature bytea NOT NULL,
        leaf_hashes bytea STORAGE EXTERNAL NOT NULL,
        CONSTRAINT audit_seals_leaf_hashes_check CHECK (octet_length(leaf_hashes) = 32 * entries)
      )`);
    await runner.query(`CREATE UNIQUE INDEX audit_seals_by_position ON audit_seals (epoch, xid, seq)`);
    await runner.query(`CREATE INDEX audit_seals_by_time ON audit_seals (sealed_at)`);
    await runner.query(`SELECT make_append_only('audit_seals')`);
    await runner.query(`COMMENT ON TABLE audit_seals IS 'append-only: what proves the audit trail'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE audit_seals`);
    await runner.query(`DROP TABLE audit_keys`);
  }
}
