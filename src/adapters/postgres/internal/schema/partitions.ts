/**
 * Tables in parts of one day each: what is old goes as a whole, without a row being touched.
 */

export const partitions: ReadonlyArray<string> = [
  // Makes the parts of today and of some days to come. A part is filled only from then on: rows of its day that are in the
  // part for all else already keep it from being made, and go when they are old.
  `create function es.make_days(p_table text, p_ahead int) returns void language plpgsql as $$
  declare
    v_day date;
    v_part text;
    v_found boolean;
  begin
    for v_day in select (clock_timestamp() at time zone 'UTC')::date + n from generate_series(0, p_ahead) n loop
      v_part := p_table || '_' || to_char(v_day, 'YYYYMMDD');
      continue when to_regclass('es.' || v_part) is not null;
      -- One at a time; who comes second finds it made.
      perform pg_advisory_xact_lock(hashtextextended('effect-cqrs/days/' || p_table, 0));
      continue when to_regclass('es.' || v_part) is not null;
      execute format('select exists (select from es.%I where day = %L)', p_table || '_other', v_day) into v_found;
      continue when v_found;
      execute format('create table es.%I (like es.%I including all)', v_part, p_table);
      execute format('alter table es.%I attach partition es.%I for values from (%L) to (%L)',
        p_table, v_part, v_day, v_day + 1);
    end loop;
  end $$`,
  `create function es.drop_days(p_table text, p_before date) returns int language plpgsql as $$
  declare
    v_part text;
    v_count int := 0;
  begin
    for v_part in
      select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = ('es.' || p_table)::regclass and c.relname ~ ('^' || p_table || '_[0-9]{8}$')
          and to_date(right(c.relname, 8), 'YYYYMMDD') < p_before
    loop
      execute format('drop table if exists es.%I', v_part);
      v_count := v_count + 1;
    end loop;
    execute format('delete from es.%I where day < %L', p_table || '_other', p_before);
    return v_count;
  end $$`
]
