/**
 * Leases of names: who has one, with which token, and until when.
 */

export const locks: ReadonlyArray<string> = [
  `create table es.lease (
    tenant text collate "C" not null,
    name text collate "C" not null,
    token bigint not null,
    holder text not null,
    until timestamptz not null,
    primary key (tenant, name),
    -- With it a new token is a new key: it waits for who has the old one locked, which a renewal does not.
    unique (tenant, name, token)
  ) with (fillfactor = 50)`,
  `create function es.lease_acquire(p_tenant text, p_name text, p_holder text, p_millis float8)
  returns table (granted boolean, token float8, holder text, remaining float8) language plpgsql as $$
  begin
    -- Without a named constraint: of two that are the first, one finds the other's row by either.
    insert into es.lease (tenant, name, token, holder, until) values (p_tenant, p_name, 0, '', '-infinity')
      on conflict do nothing;
    -- Whoever waits for the row of another sees what that has made of it.
    return query update es.lease l
      set token = l.token + 1, holder = p_holder, until = clock_timestamp() + p_millis * interval '1 millisecond'
      where l.tenant = p_tenant and l.name = p_name and l.until <= clock_timestamp()
      returning true, l.token::float8, l.holder, p_millis;
    if not found then
      return query select false, l.token::float8, l.holder,
          greatest(0, extract(epoch from l.until - clock_timestamp()) * 1000)::float8
        from es.lease l where l.tenant = p_tenant and l.name = p_name;
    end if;
  end $$`
]
