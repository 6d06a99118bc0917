-- That something is well again is told too, where its failing was. So an alert says which edge it is about, and when that
-- was over for it; an edge says since when it is well.
alter table alert add column edge text;
alter table alert add column ended bigint;
create index alert_of_edge on alert (edge) where edge is not null and ended is null;
alter table edge add column well bigint;
