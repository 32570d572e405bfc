import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What happened: events beside the rows, the entries of the audit trail, and the keys both are sealed under. */
export class History1795500001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await this.epochs(runner);
    await this.accountKeys(runner);
    await this.appendOnly(runner);
    await this.events(runner);
    await this.auditEntries(runner);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE audit_entries`);
    await runner.query(`DROP FUNCTION make_audit_partition`);
    await runner.query(`DROP TABLE events`);
    await runner.query(`DROP FUNCTION keep_event_order`);
    await runner.query(`DROP FUNCTION make_append_only`);
    await runner.query(`DROP FUNCTION refuse_change`);
    await runner.query(`DROP TABLE account_keys`);
    await runner.query(`DROP FUNCTION current_epoch`);
    await runner.query(`DROP FUNCTION begin_epoch`);
    await runner.query(`DROP TABLE history_epochs`);
  }

  /** Transaction ids begin again in another cluster, and may be used twice after a promotion: positions start with an epoch. */
  private async epochs(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE history_epochs (
        epoch integer CONSTRAINT history_epochs_pkey PRIMARY KEY,
        system_identifier bigint NOT NULL,
        timeline text COLLATE "C" NOT NULL,
        began_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      )`);
    // Called by the owner, under the lock of the start.
    await runner.query(`
      CREATE FUNCTION begin_epoch() RETURNS void
      LANGUAGE sql SET search_path = public, pg_temp AS $$
        WITH here AS (
          SELECT system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline FROM pg_control_system()
        ), latest AS (
          SELECT epoch, system_identifier, timeline FROM history_epochs ORDER BY epoch DESC LIMIT 1
        )
        INSERT INTO history_epochs (epoch, system_identifier, timeline)
        SELECT coalesce((SELECT epoch FROM latest), 0) + 1, system_identifier, timeline FROM here
        WHERE NOT EXISTS (SELECT 1 FROM latest WHERE (latest.system_identifier, latest.timeline) = (here.system_identifier, here.timeline))
      $$`);
    await runner.query(`
      CREATE FUNCTION current_epoch() RETURNS integer
      LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$ SELECT max(epoch) FROM history_epochs $$`);
    await runner.query(`SELECT begin_epoch()`);
    await runner.query(`COMMENT ON TABLE history_epochs IS 'read-only: the owner begins one at a start'`);
  }

  /** One an account, wrapped by the master key. A destroyed one leaves its row, so that it is never made anew. */
  private async accountKeys(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE account_keys (
        user_id uuid CONSTRAINT account_keys_pkey PRIMARY KEY,
        wrapped bytea,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        destroyed_at timestamptz(3),
        CONSTRAINT account_keys_destroyed_check CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
      )`);
  }

  private async appendOnly(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
      END $$`);
    // A partition inherits triggers for rows, but not their ENABLE ALWAYS, and none for TRUNCATE.
    await runner.query(`
      CREATE FUNCTION make_append_only(history regclass) RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = history AND tgname = 'refuse_change') THEN
          EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON %s
                          FOR EACH ROW EXECUTE FUNCTION refuse_change()', history);
        END IF;
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', history);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER refuse_change', history);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER refuse_truncate', history);
      END $$`);
  }

  /**
   * A position is (epoch, xid, seq): of the top transaction, so that readers who stay below the oldest
   * one that still runs miss nothing that commits late.
   */
  private async events(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE events (
        epoch integer NOT NULL DEFAULT current_epoch(),
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        seq bigint GENERATED ALWAYS AS IDENTITY,
        id uuid NOT NULL,
        type text COLLATE "C" NOT NULL,
        stream uuid NOT NULL,
        stream_version integer NOT NULL,
        subject uuid NOT NULL,
        occurred_at timestamptz(3) NOT NULL,
        data_sealed bytea,
        CONSTRAINT events_pkey PRIMARY KEY (stream, stream_version)
      )`);
    await runner.query(`CREATE UNIQUE INDEX events_by_position ON events (epoch, xid, seq)`);
    await runner.query(`CREATE INDEX events_by_subject ON events (subject, epoch, xid, seq)`);
    await runner.query(`CREATE INDEX events_by_type ON events (type, epoch, xid, seq)`);
    // Ids are in the order of first writes, not of versions: one that came first but goes on second starts again.
    await runner.query(`
      CREATE FUNCTION keep_event_order() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
      BEGIN
        IF EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND stream_version = NEW.stream_version - 1
                   AND (epoch, xid) > (NEW.epoch, NEW.xid)) THEN
          RAISE EXCEPTION 'the previous event of % has a later position', NEW.stream USING ERRCODE = 'serialization_failure';
        END IF;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER keep_event_order BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION keep_event_order()`);
    await runner.query(`SELECT make_append_only('events')`);
    await runner.query(`COMMENT ON TABLE events IS 'append-only: what happened'`);
  }

  /** Partitions of a month, by the time of writing. What is personal is sealed under the keys that are named beside it. */
  private async auditEntries(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE audit_entries (
        epoch integer NOT NULL DEFAULT current_epoch(),
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        seq bigint NOT NULL,
        id uuid NOT NULL,
        occurred_at timestamptz(3) NOT NULL,
        actor_type text COLLATE "C" NOT NULL,
        actor_id uuid,
        session_id uuid,
        action text COLLATE "C" NOT NULL,
        target_type text COLLATE "C",
        target_id text COLLATE "C",
        outcome text COLLATE "C" NOT NULL,
        request_id text COLLATE "C",
        trace_id text COLLATE "C",
        origin_key uuid,
        origin_sealed bytea,
        changes_key uuid,
        changes_sealed bytea
      ) PARTITION BY RANGE (occurred_at)`);
    await runner.query(`CREATE SEQUENCE audit_entries_seq`);
    await runner.query(`ALTER SEQUENCE audit_entries_seq OWNED BY audit_entries.seq`);
    await runner.query(`ALTER TABLE audit_entries ALTER COLUMN seq SET DEFAULT nextval('audit_entries_seq')`);
    await runner.query(`CREATE INDEX audit_entries_by_time ON audit_entries (occurred_at, id)`);
    await runner.query(`CREATE INDEX audit_entries_by_position ON audit_entries (epoch, xid, seq)`);
    await runner.query(`CREATE INDEX audit_entries_by_id ON audit_entries (id)`);
    await runner.query(`CREATE INDEX audit_entries_by_actor ON audit_entries (actor_id, occurred_at, id)`);
    await runner.query(`CREATE INDEX audit_entries_by_target ON audit_entries (target_id, occurred_at, id)`);
    await runner.query(`CREATE INDEX audit_entries_by_action ON audit_entries (action, occurred_at, id)`);
    await runner.query(
      `CREATE INDEX audit_entries_refused ON audit_entries (outcome, occurred_at, id) WHERE outcome <> 'success'`,
    );
    await runner.query(`SELECT make_append_only('audit_entries')`);
    await runner.query(`COMMENT ON TABLE audit_entries IS 'append-only: the audit trail'`);
    await runner.query(`
      CREATE FUNCTION make_audit_partition(month date) RETURNS void
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
      DECLARE
        first date := date_trunc('month', month);
        name text := 'audit_entries_' || to_char(first, 'YYYY_MM');
      BEGIN
        IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
        -- Instances that make it at once queue here.
        PERFORM pg_advisory_xact_lock(hashtext('make_audit_partition'));
        -- Read from the table: what to_regclass knows is not renewed by waiting.
        IF EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = 'public'::regnamespace) THEN RETURN; END IF;
        -- Made apart and then attached: PARTITION OF would lock the trail against its writers.
        EXECUTE format('CREATE TABLE %I (LIKE audit_entries INCLUDING DEFAULTS)', name);
        EXECUTE format('ALTER TABLE audit_entries ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name,
                       first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC');
        PERFORM make_append_only(name::regclass);
      END $$`);
    await runner.query(`
      SELECT make_audit_partition((clock_timestamp() AT TIME ZONE 'UTC' + make_interval(months => ahead))::date)
      FROM generate_series(0, 2) AS ahead`);
  }
}
