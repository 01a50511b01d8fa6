/**
 * The outbox's statements keep to its indexes. A queue is empty when all is well: what the planner knows of it then is that
 * reading all of it costs nothing, and it keeps the plan when the queue is long.
 */

const keepsToIndexes = "set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off"

export const queuePlans: ReadonlyArray<string> = [
  `alter function es.outbox_claim(text, text, int, float8, text) ${keepsToIndexes}`,
  `alter function es.outbox_lanes(text, text, text, int, timestamptz) ${keepsToIndexes}`,
  // Each is looked up by itself, and locked: where a renewal has moved it to is where it is deleted.
  `create function es.outbox_complete(p_tenants text[], p_ids text[], p_tokens int8[])
  returns table (tenant text, id text, token bigint) language plpgsql ${keepsToIndexes} as $$
  #variable_conflict use_column
  begin
    return query
    delete from es.outbox m where m.ctid = any(array(
      select r.row_id from (select * from unnest(p_tenants, p_ids, p_tokens) u(tenant, id, token) order by 1, 2) h
        cross join lateral (
          select o.ctid as row_id from es.outbox o
            where o.tenant = h.tenant and o.id = h.id and o.token = h.token and o.owner is not null
            offset 0 for update
        ) r))
      returning m.tenant, m.id, m.token;
  end $$`
]
