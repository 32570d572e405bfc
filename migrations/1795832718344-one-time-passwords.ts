import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds the end of a one-time password. The trigger clears it with every new password, whichever release writes it, so
 * that only the password it was given for can expire.
 */
export class OneTimePasswords1795832718344 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE users ADD COLUMN password_expires_at timestamptz(3)`);
    await runner.query(`
      CREATE FUNCTION clear_password_expiry() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
      BEGIN
        NEW.password_expires_at := NULL;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER clear_password_expiry BEFORE UPDATE OF password_hash ON users FOR EACH ROW
      WHEN (OLD.password_expires_at IS NOT NULL
            AND NEW.password_hash IS DISTINCT FROM OLD.password_hash
            AND NEW.password_expires_at IS NOT DISTINCT FROM OLD.password_expires_at)
      EXECUTE FUNCTION clear_password_expiry()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TRIGGER clear_password_expiry ON users`);
    await runner.query(`DROP FUNCTION clear_password_expiry`);
    await runner.query(`ALTER TABLE users DROP COLUMN password_expires_at`);
  }
}
