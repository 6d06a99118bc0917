-- What one job at a time may do, whichever replica works it: polling a practice. The lease lasts as long as its job runs, so
-- nobody has to give it back: a job that ended, failed, or was given to another replica holds nothing any more.
create table lease (
    what text   not null primary key,
    job  bigint not null
);
