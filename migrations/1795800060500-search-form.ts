import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The capital letters among the compatibility decompositions (NFKD) of all characters that have no lower case. */
const CAPITALS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZÆĦƎƐȢΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩϜ';
const SMALL = 'abcdefghijklmnopqrstuvwxyzæħǝɛȣαβγδεζηθικλμνξοπρστυφχψωϝ';
/** In bytes. With it the longest name, roles and address fit into an index entry, which is a third of a page at most. */
const MAX_SEARCH_KEY = 1300;

/**
 * Adds the compatible form of name and address to a search key: two lines more, and only where the form differs. What
 * the key held stays, so an instance of the release before searches as ever. The trigger completes whatever any
 * release writes; the rows that are there already are completed in batches, whose progress `search_key_fill` holds.
 */
export class SearchForm1795800060500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The same as foldSearch of a text that foldCase has folded. It knows no locale: every server agrees.
    await runner.query(String.raw`
      CREATE FUNCTION search_form(folded text) RETURNS text
      LANGUAGE sql IMMUTABLE PARALLEL SAFE
      RETURN normalize(
        regexp_replace(replace(translate(normalize(folded, NFKD), '${CAPITALS}ς', '${SMALL}σ'), 'ı', 'i'),
                       U&'i\0307+', 'i', 'g'),
        NFC)`);
    // Cheap tests first: most keys are ASCII.
    await runner.query(String.raw`
      CREATE FUNCTION search_key_is_partial(key text) RETURNS boolean
      LANGUAGE sql IMMUTABLE PARALLEL SAFE
      RETURN octet_length(key) > char_length(key) AND key NOT LIKE U&'%\000A%\000A%'
        AND (key IS NOT NFKC NORMALIZED OR key LIKE '%ı%' OR key LIKE U&'%i\0307%')`);
    await runner.query(`
      CREATE FUNCTION complete_search_key(key text) RETURNS text
      LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = public, pg_temp AS $$
      DECLARE
        form text;
        room integer := greatest(0, ${MAX_SEARCH_KEY} - 1 - octet_length(key));
      BEGIN
        IF NOT search_key_is_partial(key) THEN
          RETURN key;
        END IF;
        form := search_form(key);
        RETURN key || chr(10) || CASE WHEN octet_length(form) <= room THEN form ELSE left(form, room / 4) END;
      END $$`);
    await runner.query(`
      CREATE FUNCTION keep_search_key_complete() RETURNS trigger
      LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
      BEGIN
        NEW.search_key := complete_search_key(NEW.search_key);
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TABLE search_key_fill (
        only_row boolean CONSTRAINT search_key_fill_pkey PRIMARY KEY DEFAULT true CHECK (only_row),
        after_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
        finished_at timestamptz(3)
      )`);
    await runner.query(`INSERT INTO search_key_fill DEFAULT VALUES`);
    await runner.query(`
      CREATE TRIGGER keep_search_key_complete BEFORE INSERT OR UPDATE OF search_key ON users FOR EACH ROW
      WHEN (search_key_is_partial(NEW.search_key)) EXECUTE FUNCTION keep_search_key_complete()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TRIGGER keep_search_key_complete ON users`);
    await runner.query(`DROP TABLE search_key_fill`);
    await runner.query(`DROP FUNCTION keep_search_key_complete`);
    await runner.query(`DROP FUNCTION complete_search_key`);
    await runner.query(`DROP FUNCTION search_key_is_partial`);
    await runner.query(`DROP FUNCTION search_form`);
  }
}
