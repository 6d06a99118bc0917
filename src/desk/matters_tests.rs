//! What a coordinator must not overlook, and what nobody may do at her desk.

use axum::http::StatusCode;
use futures_util::future::join_all;

use crate::referral::content::{Consent, Priority};
use crate::referral::episode::NeedState;
use crate::referral::{Patient, ReferralId};
use crate::store::sql::query;
use crate::store::{Edge, StoreError, Whose};
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
    let minster = || Whose::Practice("york".into(), "minster".into());
    let everybodys = [
        (Edge::Mail, "the mail server"),
        (Edge::Feed("city".to_owned()), "the directory (city)"),
        (Edge::Stuck("tick".to_owned(), Whose::Everybody), "the hourly round"),
        (Edge::Job("match_referral".to_owned(), Whose::Programme("closed".into())), "finding services"),
    ];
    let yorks = [
        (Edge::Practice("york".into(), "minster".into()), "the system (Minster Practice)"),
        (Edge::Job("file_record".to_owned(), minster()), "writing to the record (Minster Practice)"),
        (Edge::Stuck("read_again".to_owned(), minster()), "reading referrals again (Minster Practice)"),
        (Edge::Stuck("send_alert".to_owned(), Whose::Programme("york".into())), "telling the duty address"),
    ];
    for (edge, _) in everybodys.iter().chain(&yorks) {
        tx.edge_fails(edge, "it does not answer", world.service.clock.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let (hers, theirs) = (world.get("/desk", &leeds()).await.body, world.get("/desk", &york()).await.body);
    for (edge, name) in &everybodys {
        assert!(hers.contains(&format!(": {name}.")) && theirs.contains(&format!(": {name}.")), "{edge:?}: {hers}");
    }
    for (edge, name) in &yorks {
        assert!(!hers.contains(name) && theirs.contains(&format!(": {name}.")), "{edge:?}: {theirs}");
    }
    assert!(!hers.to_lowercase().contains("minster"), "{hers}");
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
async fn a_service_whose_queue_is_gone_is_not_ready() {
    let world = World::new().await;
    assert_eq!(world.get("/readyz", "").await.status, StatusCode::OK);
    query("drop table river_job").execute(world.service.store.pool()).await.unwrap();
    let seen = world.get("/readyz", "").await;
    assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE, "though a write was seen to work a moment ago");
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

#[tokio::test]
async fn the_worklist_has_safety_first_and_then_whoever_waits_longest() {
    let world = World::new().await;
    // Taken in and asked in the reverse order of what is to be seen.
    let mut asked = Vec::new();
    for request in ["question-new", "question-old", "worry-new", "worry-old"] {
        let mut one = referral();
        one.source.request = request.to_owned();
        let id = world.refer(one).await;
        let (_, link) = world.ask(id, "visits").await;
        asked.push((id, link));
        world.service.clock.advance(jiff::SignedDuration::from_mins(10));
    }
    let order = [1, 0, 3, 2];
    for n in order {
        let link = &asked[n].1;
        let (page, field) = if n < 2 { ("question", "words") } else { ("tell/worried", "worry") };
        let page = format!("{link}/{page}");
        world.fill_in(&page, &page, &[(field, "Are there stairs?")], "").await;
        world.service.clock.advance(jiff::SignedDuration::from_mins(10));
    }
    let list = world.get("/desk", &leeds()).await.body;
    let (_, rows) = list.split_once("row-head").unwrap();
    let at = |n: usize| rows.find(&asked[n].0.to_string()).unwrap();
    let seen = [at(3), at(2), at(1), at(0)];
    assert!(seen.is_sorted(), "worries, oldest first, then questions, oldest first: {seen:?}");
}

#[tokio::test]
async fn a_safety_matter_has_one_box_whatever_number_of_words_show_it() {
    use crate::matching::{Evidence, Finding, SafetyKind};
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let mut found = world.service.store.matched(id).await.unwrap().unwrap();
    let finding = |kind, quote: &str| Finding {
        kind,
        evidence: Evidence { quote: quote.to_owned(), rule: "words of danger".to_owned() },
    };
    found.safety = vec![
        finding(SafetyKind::DomesticAbuse, "afraid of her son"),
        finding(SafetyKind::SuicideSelfHarm, "wishes not to wake"),
        finding(SafetyKind::DomesticAbuse, "bruises on her arm"),
        finding(SafetyKind::DomesticAbuse, "afraid of her son"),
    ];
    let mut tx = world.service.store.begin().await.unwrap();
    tx.put_match(id, &"leeds".into(), &found, world.service.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let page = world.get(&path(id, ""), &leeds()).await.body;
    let boxes: Vec<&str> = page.split("<div class=\"inset safety\">").skip(1).collect();
    let (abuse, harm) = (boxes[0].split("</div>").next().unwrap(), boxes[1].split("</div>").next().unwrap());
    assert_eq!(boxes.len(), 2, "{page}");
    assert!(abuse.contains("Domestic abuse") && harm.contains("wishes not to wake"), "{page}");
    assert_eq!(abuse.matches("afraid of her son").count(), 1, "{abuse}");
    assert!(abuse.contains("bruises on her arm"), "every word that shows it is there: {abuse}");
}

#[tokio::test]
async fn what_the_practice_measured_stands_under_before() {
    use crate::referral::{Ons4, Score};
    let world = World::new().await;
    let mut measured = referral();
    let score = |n: u8| Score::try_from(n).unwrap();
    measured.baseline = Some(Ons4 { satisfied: score(4), worthwhile: score(5), happy: score(3), anxious: score(7) });
    let id = world.refer(measured).await;
    let page = world.get(&path(id, ""), &leeds()).await.body;
    let (_, table) = page.split_once("<th scope=\"col\">Before</th><th scope=\"col\">After</th>").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    let cells: Vec<&str> =
        table.split("<td class=\"number\">").skip(1).filter_map(|cell| cell.split('<').next()).collect();
    assert_eq!(cells, ["4", "–", "5", "–", "3", "–", "7", "–"], "{table}");
}
