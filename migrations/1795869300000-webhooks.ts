import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds webhooks, their secrets, and the deliveries that each event makes in its own transaction. A lane holds the
 * deliveries of one webhook and one subject in order.
 */
export class Webhooks1795869300000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await this.webhooks(runner);
    await this.deliveries(runner);
    await this.trigger(runner);
    await runner.query(
      `INSERT INTO role_permissions (role, permission) VALUES ('admin', 'webhooks:manage') ON CONFLICT DO NOTHING`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TRIGGER queue_webhook_deliveries ON events`);
    await runner.query(`DROP FUNCTION queue_webhook_deliveries`);
    await runner.query(`DROP FUNCTION make_uuid_v7`);
    await runner.query(`DROP TABLE webhook_replays`);
    await runner.query(`DROP TABLE webhook_deliveries`);
    await runner.query(`DROP TABLE webhook_lanes`);
    await runner.query(`DROP TABLE webhook_secrets`);
    await runner.query(`DROP TABLE webhooks`);
  }

  /**
   * `holder` is the instance that sends the deliveries of a webhook; another one takes over once `held_until` is past. A
   * deleted webhook keeps its row until its deliveries are deleted.
   */
  private async webhooks(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE webhooks (
        id uuid CONSTRAINT webhooks_pkey PRIMARY KEY,
        url text NOT NULL,
        types text[] COLLATE "C" NOT NULL,
        description text,
        status text COLLATE "C" NOT NULL DEFAULT 'active'
          CONSTRAINT webhooks_status_check CHECK (status IN ('active', 'paused')),
        paused_reason text COLLATE "C",
        version integer NOT NULL DEFAULT 1,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        last_event integer NOT NULL DEFAULT 0,
        deleted_at timestamptz(3),
        holder uuid,
        held_until timestamptz(3),
        CONSTRAINT webhooks_paused_reason_check CHECK ((status = 'paused') = (paused_reason IS NOT NULL))
      )`);
    await runner.query(`
      CREATE TABLE webhook_secrets (
        id uuid CONSTRAINT webhook_secrets_pkey PRIMARY KEY,
        webhook_id uuid NOT NULL
          CONSTRAINT webhook_secrets_webhook_id_fkey REFERENCES webhooks (id) ON DELETE CASCADE,
        secret_sealed bytea NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        expires_at timestamptz(3)
      )`);
    await runner.query(`CREATE INDEX webhook_secrets_by_webhook ON webhook_secrets (webhook_id)`);
    await runner.query(`
      CREATE TABLE webhook_replays (
        id uuid CONSTRAINT webhook_replays_pkey PRIMARY KEY,
        webhook_id uuid NOT NULL
          CONSTRAINT webhook_replays_webhook_id_fkey REFERENCES webhooks (id) ON DELETE CASCADE,
        from_time timestamptz(3) NOT NULL,
        to_time timestamptz(3) NOT NULL,
        after_position text COLLATE "C",
        last_position text COLLATE "C"
      )`);
    await runner.query(`CREATE INDEX webhook_replays_by_webhook ON webhook_replays (webhook_id)`);
  }

  /**
   * No foreign key leads to the webhook: the transaction of an event must neither wait for a change of a webhook nor fail
   * because of its deletion. `mark` rises with every delivery that is added, so that a sender does not close a lane that
   * has got one meanwhile.
   */
  private async deliveries(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE webhook_lanes (
        webhook_id uuid NOT NULL,
        subject text COLLATE "C" NOT NULL,
        mark bigint NOT NULL DEFAULT 1,
        last_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        last_epoch integer NOT NULL DEFAULT current_epoch(),
        due_at timestamptz(3),
        touched_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT webhook_lanes_pkey PRIMARY KEY (webhook_id, subject)
      ) WITH (fillfactor = 70)`);
    await runner.query(
      `CREATE INDEX webhook_lanes_due ON webhook_lanes (webhook_id, due_at) WHERE due_at IS NOT NULL`,
    );
    await runner.query(`
      CREATE TABLE webhook_deliveries (
        id uuid CONSTRAINT webhook_deliveries_pkey PRIMARY KEY,
        webhook_id uuid NOT NULL,
        subject text COLLATE "C" NOT NULL,
        event_id uuid NOT NULL,
        type text COLLATE "C" NOT NULL,
        epoch integer NOT NULL,
        xid xid8 NOT NULL,
        seq bigint NOT NULL,
        status text COLLATE "C" NOT NULL DEFAULT 'pending'
          CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('pending', 'delivered', 'dead')),
        tries smallint NOT NULL DEFAULT 0,
        next_attempt_at timestamptz(3) DEFAULT date_trunc('milliseconds', now()),
        attempts jsonb NOT NULL DEFAULT '[]',
        responses bytea[] NOT NULL DEFAULT '{}',
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT webhook_deliveries_next_check CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
      ) WITH (fillfactor = 70)`);
    await runner.query(
      `CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook_id, subject, epoch, xid, seq, id)
       WHERE status = 'pending'`,
    );
    await runner.query(
      `CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, created_at, id)`,
    );
    await runner.query(
      `CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (webhook_id, created_at, id) WHERE status = 'dead'`,
    );
    // Responses are encrypted: they cannot be compressed, and samples of them would outlive an erasure.
    await runner.query(
      `ALTER TABLE webhook_deliveries ALTER responses SET STORAGE EXTERNAL, ALTER responses SET STATISTICS 0`,
    );
    // PostgreSQL 16 has no function for it.
    await runner.query(`
      CREATE FUNCTION make_uuid_v7() RETURNS uuid
      LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = public, pg_temp AS $$
        SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
          substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1),
          'hex')::uuid
      $$`);
  }

  /**
   * Adds the deliveries of new events, whoever writes them. The row of the lane is locked until the commit, so events of
   * one lane are committed one transaction after the other. One that has an earlier position than the last of its lane
   * starts again, so the order of delivery is the order of positions.
   */
  private async trigger(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION queue_webhook_deliveries() RETURNS trigger
      LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
      DECLARE
        overtaken text;
      BEGIN
        IF NOT EXISTS (SELECT FROM webhooks WHERE deleted_at IS NULL) THEN RETURN NULL; END IF;
        WITH matched AS (
          SELECT webhooks.id AS webhook_id, coalesce(added.about, added.subject::text) AS lane,
                 added.id AS event_id, added.type, added.epoch, added.xid, added.seq
          FROM added JOIN webhooks ON webhooks.deleted_at IS NULL AND CASE added.type
            WHEN 'webhook.test' THEN webhooks.id = added.stream
            ELSE added.type = ANY (webhooks.types) END
        ), touched AS (
          INSERT INTO webhook_lanes AS lanes (webhook_id, subject, due_at)
          SELECT DISTINCT webhook_id, lane, date_trunc('milliseconds', now()) FROM matched ORDER BY webhook_id, lane
          ON CONFLICT (webhook_id, subject) DO UPDATE SET
            mark = lanes.mark + 1,
            last_xid = CASE WHEN (lanes.last_epoch, lanes.last_xid) > (excluded.last_epoch, excluded.last_xid)
                            THEN lanes.last_xid ELSE excluded.last_xid END,
            last_epoch = greatest(lanes.last_epoch, excluded.last_epoch),
            due_at = coalesce(lanes.due_at, excluded.due_at),
            touched_at = clock_timestamp()
          RETURNING subject, last_xid
        ), queued AS (
          INSERT INTO webhook_deliveries (id, webhook_id, subject, event_id, type, epoch, xid, seq)
          SELECT make_uuid_v7(), webhook_id, lane, event_id, type, epoch, xid, seq FROM matched ORDER BY epoch, xid, seq
        )
        SELECT subject INTO overtaken FROM touched WHERE last_xid <> pg_current_xact_id() LIMIT 1;
        IF overtaken IS NOT NULL THEN
          RAISE EXCEPTION 'a later event of % is already committed', overtaken USING ERRCODE = 'serialization_failure';
        END IF;
        RETURN NULL;
      END $$`);
    await runner.query(`
      CREATE TRIGGER queue_webhook_deliveries AFTER INSERT ON events
      REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION queue_webhook_deliveries()`);
  }
}
