-- The first schema. Conventions, the same on SQLite and PostgreSQL: ids are text, times are milliseconds since 1970 in
-- bigint, flags are bigint 0 or 1, JSON is text, bytes are bytea. programme_id stands on every row that belongs to one.
--
-- Three kinds of table, kept apart on purpose:
--   the ledger   (referral, event): no personal data, never erased;
--   personal     (referral_content, raw_*, note, score, match_result): erasable, one retention for each programme;
--   the rest     (partners, directory, mails, alerts, accounts).

-- Where each referral stands. `episode` is derived from its events; `state`, `hold`, `need` and `since` are its summary
-- for lists and counts.
create table referral (
    id            text   not null primary key,
    programme_id  text   not null,
    practice_id   text   not null,
    request_id    text   not null,
    task_id       text,
    task_version  text,
    input_version text   not null,
    explanation   text,
    seq           bigint not null,
    state         text   not null,
    hold          text,
    need          text   not null,
    since         bigint not null,
    received      bigint not null,
    changed       bigint not null,
    read_again    bigint not null,
    attention     bigint not null,
    episode       text   not null,
    unique (practice_id, request_id)
);
create index referral_by_state on referral (programme_id, state, since);
create index referral_to_read_again on referral (practice_id, read_again);

-- What happened, in order. `effect_id` names the outside effect that an event is the outcome of: unique, so that an
-- effect which ran twice is written once.
create table event (
    referral_id  text   not null,
    seq          bigint not null,
    programme_id text   not null,
    version      bigint not null,
    body         text   not null,
    occurred     bigint not null,
    recorded     bigint not null,
    effect_id    text,
    primary key (referral_id, seq)
);
create index event_first on event (seq) where seq = 1;
create unique index event_once_for_each_effect on event (effect_id) where effect_id is not null;

-- What the practice told us, as the domain reads it (personal data). `person` is who the patient was, fixed when
-- somebody took them on: what is filed belongs in that person's record.
create table referral_content (
    referral_id  text   not null primary key,
    programme_id text   not null,
    body         text   not null,
    read_at      bigint not null,
    person       text   not null
);

-- FHIR as it came, compressed, each text once (personal data). SQLite has no type bytea and keeps bytes as they are under
-- any name.
create table raw_body (
    hash  text not null primary key,
    bytes bytea not null
);
create table raw_input (
    referral_id  text   not null,
    programme_id text   not null,
    version      text   not null,
    position     bigint not null,
    hash         text   not null,
    received     bigint not null,
    primary key (referral_id, version, position)
);
create index raw_input_by_hash on raw_input (hash);

-- Words that somebody wrote (personal data). `offer_id` and `kind` say what they are about.
create table note (
    id           text   not null primary key,
    referral_id  text   not null,
    programme_id text   not null,
    offer_id     text,
    kind         text   not null,
    author       text   not null,
    words        text   not null,
    written      bigint not null
);
create index note_by_referral on note (referral_id, written);

-- Wellbeing scores, ONS4, that the partner of an offer took (personal data). `moment` is before or after.
create table score (
    referral_id  text   not null,
    programme_id text   not null,
    offer_id     text   not null,
    moment       text   not null,
    satisfied    bigint not null,
    worthwhile   bigint not null,
    happy        bigint not null,
    anxious      bigint not null,
    taken        bigint not null,
    primary key (offer_id, moment)
);
create index score_by_referral on score (referral_id);

-- What the matcher read (it quotes the GP: personal data).
create table match_result (
    referral_id  text   not null primary key,
    programme_id text   not null,
    body         text   not null,
    matched      bigint not null
);

-- The links in mails. Only a hash is kept; the link itself is derived again when a mail is written again.
-- `code_misses` counts wrong one-time codes over the link's whole life, whatever code they were tried against.
create table answer_token (
    hash         text   not null primary key,
    offer_id     text   not null,
    referral_id  text   not null,
    programme_id text   not null,
    expires      bigint not null,
    code_misses  bigint not null default 0
);
create unique index answer_token_by_offer on answer_token (offer_id);

-- The one-time code that opens who the person is, and the session it opens. One live code an offer.
create table one_time_code (
    offer_id     text   not null primary key,
    programme_id text   not null,
    hash         text   not null,
    ordinal      bigint not null,
    expires      bigint not null,
    attempts     bigint not null
);
create table partner_session (
    hash         text   not null primary key,
    offer_id     text   not null,
    programme_id text   not null,
    expires      bigint not null
);

-- A partner is not a directory row: it outlives every sync. `email` counts only once somebody confirmed it.
create table partner (
    programme_id text   not null,
    id           text   not null,
    name         text   not null,
    email        text,
    agreement    text,
    confirmed_by text,
    confirmed    bigint,
    bad_since    bigint,
    bad_why      text,
    primary key (programme_id, id)
);

-- The directory, with where each service came from and when.
create table feed (
    id        text   not null primary key,
    synced    bigint,
    services  bigint not null,
    content   text,
    failing   bigint,
    why       text
);
create table service (
    feed_id   text   not null,
    id        text   not null,
    body      text   not null,
    hash      text   not null,
    first_seen bigint not null,
    last_seen bigint not null,
    primary key (feed_id, id)
);
-- A sync in progress: one page a job; becomes `service` only when it is whole and not strangely empty.
create table feed_page (
    feed_id   text   not null,
    run       text   not null,
    id        text   not null,
    body      text   not null,
    primary key (feed_id, run, id)
);

-- Where polling of each practice stands, and whether an edge (a practice, the mail server, a feed) is failing.
create table practice_cursor (
    practice_id  text   not null primary key,
    since        bigint,
    polled       bigint
);
create table edge (
    id      text   not null primary key,
    failing bigint,
    why     text
);

-- Every mail that was asked for, by the left part of its Message-ID (offer, kind, ordinal): what was sent, what may have been sent twice, what failed.
create table mail (
    id           text   not null primary key,
    programme_id text   not null,
    referral_id  text,
    offer_id     text,
    kind         text   not null,
    ordinal      bigint not null,
    state        text   not null,
    attempts     bigint not null,
    asked        bigint not null,
    settled      bigint,
    answer       text
);
create index mail_by_referral on mail (referral_id);

-- What the duty address is told of, until somebody opens it.
create table alert (
    id           text   not null primary key,
    programme_id text   not null,
    referral_id  text,
    kind         text   not null,
    raised       bigint not null,
    told         bigint not null,
    opened       bigint,
    opened_by    text
);
create index alert_open on alert (programme_id, opened);

-- What came of a filing: references written, or the practice system's own words.
create table filing_result (
    filing_id    text   not null primary key,
    referral_id  text   not null,
    programme_id text   not null,
    outputs      text   not null,
    refusal      text,
    settled      bigint not null
);

-- Coordinators' accounts and sessions.
create table account (
    id         text   not null primary key,
    name       text   not null,
    password   text   not null,
    programmes text   not null,
    created    bigint not null
);
create table account_session (
    hash       text   not null primary key,
    account_id text   not null,
    csrf       text   not null,
    expires    bigint not null
);

-- Who looked at what (pages are read without moving a lifecycle).
create table audit (
    id           text   not null primary key,
    programme_id text   not null,
    referral_id  text,
    who          text   not null,
    what         text   not null,
    at           bigint not null
);
create index audit_by_referral on audit (referral_id, at);

-- How often a door was knocked on, by the moment that its window of time began.
create table rate (
    door   text   not null,
    period bigint not null,
    knocks bigint not null,
    primary key (door, period)
);

-- The processes that share this database, each by its own name, and when it last said that it lives, by the database's
-- clock. Only on PostgreSQL is there anything in it.
create table replica (
    id   text   not null primary key,
    seen bigint not null
);
