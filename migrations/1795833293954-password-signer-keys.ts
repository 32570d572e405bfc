import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds the keys with which other systems signed the password hashes of an import. */
export class PasswordSignerKeys1795833293954 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Hashes in `users` refer to the id. The key is encrypted with the master key.
    await runner.query(`
      CREATE TABLE password_signer_keys (
        id uuid CONSTRAINT password_signer_keys_pkey PRIMARY KEY,
        import_id uuid NOT NULL,
        sealed bytea NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      )`);
    await runner.query(`ALTER TABLE password_signer_keys ALTER sealed SET STATISTICS 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE password_signer_keys`);
  }
}
