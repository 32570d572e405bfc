import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tickets with which browsers open WebSockets. Each is used once, on any instance, within seconds. */
export class SocketTickets1795846000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // No foreign key: whoever uses a ticket is looked up as for every request.
    await runner.query(`
      CREATE TABLE socket_tickets (
        hash bytea CONSTRAINT socket_tickets_pkey PRIMARY KEY,
        user_id uuid NOT NULL,
        session_id uuid NOT NULL,
        token_expires_at timestamptz(3) NOT NULL,
        expires_at timestamptz(3) NOT NULL
      )`);
    await runner.query(`CREATE INDEX socket_tickets_by_expiry ON socket_tickets (expires_at)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE socket_tickets`);
  }
}
