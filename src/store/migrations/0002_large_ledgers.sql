-- What a ledger of a million referrals needs so that nothing reads all of it. Partial indexes hold the few referrals that
-- are open or wait for somebody, among the very many that are over.

-- Read for every write of a Task, and before a referral is erased.
create index filing_result_by_referral on filing_result (referral_id);
create index alert_by_referral on alert (referral_id);
-- What nobody has opened.
drop index alert_open;
create index alert_open on alert (raised) where opened is null;

drop index referral_to_read_again;
-- Each poll asks for a practice's open requests, each hour for those of all practices.
create index referral_open_of_practice on referral (practice_id, read_again) where state not in ('closed', 'withdrawn');
create index referral_open on referral (read_again) where state not in ('closed', 'withdrawn');
-- The worklist.
create index referral_waiting on referral (since) where (state in ('held', 'proposed') or attention > 0);
-- Retention.
create index referral_over on referral (programme_id, changed) where state in ('closed', 'withdrawn');
