/**
 * The steps of flows.
 */

export const flows: ReadonlyArray<string> = [
  // The key is also how a flow is found. The day is part of it only because the parts are by day: a step that is given again
  // on another day has a row in each, and readers take the one that says more.
  `create table es.flow_step (
    tenant text collate "C" not null,
    correlation_id text collate "C" not null,
    id text collate "C" not null,
    kind text collate "C" not null check (kind in ('command', 'query', 'event', 'handler', 'message')),
    name text not null,
    causation_id text collate "C",
    at float8 not null,
    place text,
    outcome text collate "C" check (outcome in ('Succeeded', 'Refused', 'Failed')),
    error text,
    millis float8,
    attempts int not null default 0,
    day date not null default (clock_timestamp() at time zone 'UTC')::date,
    primary key (tenant, correlation_id, id, day)
  ) partition by range (day)`,
  `create table es.flow_step_other partition of es.flow_step default`,
  `select es.make_days('flow_step', 2)`
]
