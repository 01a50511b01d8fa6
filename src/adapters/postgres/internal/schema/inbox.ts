/**
 * The inbox: what consumers have handled.
 */

export const inbox: ReadonlyArray<string> = [
  `create table es.inbox_position (
    consumer text collate "C" not null,
    source text collate "C" not null,
    segment int not null,
    position bigint not null,
    at timestamptz not null default clock_timestamp(),
    primary key (consumer, source, segment)
  ) with (fillfactor = 50)`,
  // The day is part of the key only because the parts are by day: an id is taken once in all of them.
  `create table es.inbox (
    tenant text collate "C" not null,
    consumer text collate "C" not null,
    id text collate "C" not null,
    day date not null default (clock_timestamp() at time zone 'UTC')::date,
    primary key (tenant, consumer, id, day)
  ) partition by range (day)`,
  `create table es.inbox_other partition of es.inbox default`,
  `select es.make_days('inbox', 2)`,
  // The look comes after the lock, in a statement of its own: it sees what who had the lock before has committed.
  `create function es.inbox_take(p_tenant text, p_consumer text, p_id text) returns boolean language plpgsql as $$
  begin
    perform pg_advisory_xact_lock(
      hashtextextended(p_tenant || chr(31) || p_consumer || chr(31) || p_id, 20261));
    if exists (select from es.inbox i where i.tenant = p_tenant and i.consumer = p_consumer and i.id = p_id) then
      return false;
    end if;
    insert into es.inbox (tenant, consumer, id) values (p_tenant, p_consumer, p_id);
    return true;
  end $$`
]
