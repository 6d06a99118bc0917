//! What a coordinator must not overlook, and what nobody may do at her desk.

use axum::http::StatusCode;
use futures_util::future::join_all;

use crate::referral::content::{Consent, Priority};
use crate::referral::episode::NeedState;
use crate::referral::{Patient, ReferralId};
use crate::store::StoreError;
use crate::store::sql::query;
use crate::web::testing::{CSRF, NEED, World, leeds, referral, york};

fn path(id: ReferralId, page: &str) -> String {
    format!("/desk/referral/{id}{page}")
}

#[tokio::test]
async fn one_click_settles_the_one_worry_that_was_read_and_a_second_click_no_other() {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let (_, link) = world.ask(id, "visits").await;
    let tell = format!("{link}/tell/worried");
    world.fill_in(&tell, &tell, &[("worry", "She sounded frightened")], "").await;
    let page = world.get(&path(id, ""), &leeds()).await;
    // Another comes while she reads.
    world.service.clock.advance(jiff::SignedDuration::from_mins(1));
    world.fill_in(&tell, &tell, &[("worry", "There was shouting")], "").await;
    let fields = [("csrf", CSRF), ("matter", &page.field("matter"))];
    for _ in 0..2 {
        world.post(&path(id, "/settle"), &fields, &leeds()).await;
    }
    let left = world.episode(id).await.attention;
    let notes = world.service.store.notes(id).await.unwrap();
    let words: Vec<_> =
        notes.iter().filter(|n| left.iter().any(|a| a.note == Some(n.id))).map(|n| n.words.as_str()).collect();
    assert_eq!((left.len(), words), (1, vec!["There was shouting"]));
}

#[tokio::test]
async fn an_urgent_referral_stands_first_whatever_else_holds_it() {
    let world = World::new().await;
    let first = world.refer(referral()).await;
    let mut urgent = referral();
    urgent.source.request = "sr-2".to_owned();
    urgent.priority = Priority::Stat;
    urgent.consent = Consent::NotRecorded;
    world.service.clock.advance(jiff::SignedDuration::from_hours(1));
    let second = world.refer(urgent).await;
    let list = world.get("/desk", &leeds()).await.body;
    let at = |id: ReferralId| list.find(&id.to_string()).unwrap();
    assert!(at(second) < at(first), "{list}");
}

#[tokio::test]
async fn where_a_dead_or_moved_person_lived_is_not_shown() {
    let changes: [fn(&mut Patient); 2] = [|p| p.deceased = true, |p| p.left_practice = true];
    for change in changes {
        let world = World::new().await;
        let mut gone = referral();
        change(&mut gone.patient);
        let id = world.refer(gone).await;
        let page = world.get(&path(id, ""), &leeds()).await.body;
        assert!(page.contains("NHS number") && !page.contains("Chapel Lane") && !page.contains("LS6"), "{page}");
    }
}

#[tokio::test]
async fn nobody_supports_a_person_who_did_not_agree() {
    let world = World::new().await;
    let mut no = referral();
    no.consent = Consent::Declined;
    let id = world.refer(no).await;
    let page = world.get(&path(id, ""), &leeds()).await.body;
    assert!(!page.contains("I support this person myself"));
    let fields = [("csrf", CSRF), ("need", NEED), ("decision", "support")];
    let seen = world.post(&path(id, "/decide"), &fields, &leeds()).await;
    assert!(seen.location().ends_with("done=forbidden"), "{}", seen.location());
    assert!(matches!(world.episode(id).await.needs[0].state, NeedState::Held(_)));
}

#[tokio::test]
async fn opening_a_referral_has_the_practice_read_again_once() {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    for _ in 0..2 {
        world.get(&path(id, ""), &leeds()).await;
    }
    let jobs = query("select count(*) from river_job where kind = 'read_again'");
    assert_eq!(jobs.scalar::<i64>(world.service.store.pool()).await.unwrap(), 1);
}

#[tokio::test]
async fn twenty_guesses_at_once_are_twenty_guesses() {
    let world = World::new().await;
    let tries = (0..20).map(|_| world.post("/desk/sign-in", &[("user", "nobody"), ("password", "x")], ""));
    let seen = join_all(tries).await;
    let wrong = seen.iter().filter(|s| s.status == StatusCode::UNPROCESSABLE_ENTITY).count();
    assert_eq!(wrong, 5);
    assert!(seen.iter().all(|s| s.status != StatusCode::SEE_OTHER));
}

#[tokio::test]
async fn a_failing_practice_is_its_own_programmes_business() {
    let world = World::new().await;
    let mut tx = world.service.store.begin().await.unwrap();
    for edge in ["practice:minster", "mail"] {
        tx.edge_fails(edge, "it does not answer", world.service.clock.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let (hers, theirs) = (world.get("/desk", &leeds()).await.body, world.get("/desk", &york()).await.body);
    assert!(!hers.contains("minster") && hers.contains(": mail."), "{hers}");
    assert!(theirs.contains("minster") && theirs.contains(": mail."), "{theirs}");
}

#[tokio::test]
async fn a_lost_referral_shows_in_the_counts() {
    let world = World::new().await;
    world.refer(referral()).await;
    query("delete from referral").execute(world.service.store.pool()).await.unwrap();
    let page = world.get("/metrics", "").await.body;
    assert!(page.contains("wellbridge_referrals_received_total 1"), "{page}");
    assert!(page.contains("wellbridge_referrals{state=\"proposed\"} 0"), "{page}");
}

#[tokio::test]
async fn a_store_that_can_be_read_and_not_written_is_not_ready() {
    let world = World::new().await;
    assert_eq!(world.get("/readyz", "").await.status, StatusCode::OK);
    world.service.clock.advance(jiff::SignedDuration::from_secs(30));
    query("drop table rate").execute(world.service.store.pool()).await.unwrap();
    assert_eq!(world.get("/readyz", "").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_command_beside_another_versions_service_changes_nothing() {
    let dir = std::env::temp_dir().join(format!("wellbridge-beside-{}", crate::random::uuid()));
    let file = dir.join("wellbridge.sqlite");
    let running = crate::store::Store::open(&dir).await.unwrap();
    crate::store::Store::open_beside(&dir, &file).await.unwrap();
    query("delete from _sqlx_migrations").execute(running.pool()).await.unwrap();
    let beside = crate::store::Store::open_beside(&dir, &file).await;
    assert!(matches!(beside, Err(StoreError::Directory { .. })), "{beside:?}");
    running.close().await;
    std::fs::remove_dir_all(&dir).unwrap();
}
