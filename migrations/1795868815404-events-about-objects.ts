import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds the object that an event concerns, for events about a webhook or a flag and not about a user. `subject` stays the
 * owner of the key that encrypts the data; such events have the nil UUID there.
 */
export class EventsAboutObjects1795868815404 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE events ADD about text COLLATE "C"`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE events DROP about`);
  }
}
