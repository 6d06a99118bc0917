//! PostgreSQL: the contract, and what several replicas on one database need.

use sqlx::Connection as _;
use wellbridge::referral::event::{Event, OfferMail, PartnerSaid};
use wellbridge::store::{Appended, Store, StoreError};

use super::fixtures::{at, matched, new_offer, offered, received, record};
use super::{BackDoor, Place, contract};
use crate::support::database::Database;
use crate::support::terminal::{Ended, wellbridge};

/// A new store in a database of its own; `None` where no server is named.
pub(super) async fn open() -> Option<Place> {
    let database = Database::new().await?;
    let store = Store::open_postgres(&database.url()).await.unwrap();
    let back_door = back_door(&database).await;
    Some(Place { store, back_door, _held: Box::new(database) })
}

async fn back_door(database: &Database) -> BackDoor {
    BackDoor::Postgres(sqlx::PgPool::connect(&database.url()).await.unwrap())
}

contract!(open);

#[tokio::test]
async fn four_replicas_that_start_together_make_one_schema() {
    let Some(database) = Database::empty().await else { return };
    assert!(
        Store::look_postgres(&database.url()).await.unwrap().is_none(),
        "nothing is there yet, and looking makes nothing"
    );
    let url = database.url();
    let (a, b, c, d) = tokio::join!(
        Store::open_postgres(&url),
        Store::open_postgres(&url),
        Store::open_postgres(&url),
        Store::open_postgres(&url)
    );
    for store in [a, b, c, d] {
        let store = store.unwrap();
        assert_eq!(store.jobs_waiting().await.unwrap(), 0);
        store.close().await;
    }
    let door = back_door(&database).await;
    assert_eq!(door.number("select count(*) from _sqlx_migrations where not success").await, 0);
}

#[tokio::test]
async fn a_command_finds_the_schema_that_it_knows_and_says_what_to_do_where_it_is_older() {
    let Some(database) = Database::new().await else { return };
    Store::beside_postgres(&database.url()).await.unwrap();
    let door = back_door(&database).await;
    // A newer replica has added something: this version's commands and replicas go on.
    door.run("insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, '', 0)").await;
    Store::beside_postgres(&database.url()).await.unwrap();
    Store::open_postgres(&database.url()).await.unwrap();
    door.run("delete from _sqlx_migrations").await;
    let error = Store::beside_postgres(&database.url()).await.unwrap_err();
    assert!(matches!(error, StoreError::Older), "{error}");
}

#[tokio::test]
async fn four_replicas_share_one_count_of_what_may_be_done_and_a_dead_one_keeps_nothing() {
    let Some(database) = Database::new().await else { return };
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(Store::open_postgres(&database.url()).await.unwrap());
    }
    super::rate::four_processes_share_one_count_and_a_dead_one_keeps_nothing(&stores).await;
}

#[tokio::test]
async fn two_replicas_never_move_one_referral_from_the_same_place() {
    let Some(database) = Database::new().await else { return };
    let one = Store::open_postgres(&database.url()).await.unwrap();
    let other = Store::open_postgres(&database.url()).await.unwrap();
    let id = received(&one, "sr-1").await;
    record(&one, id, &matched(), 1).await;
    // Both want to ask a partner for the one need.
    let ask = async |store: &Store| {
        let mut tx = store.begin().await.unwrap();
        tx.standing(id).await.unwrap().unwrap();
        tokio::task::yield_now().await;
        let asked = tx.record(id, &offered(new_offer()), None, at(2), at(2)).await;
        if asked.is_ok() {
            tx.commit().await.unwrap();
        }
        asked
    };
    let (first, second) = tokio::join!(ask(&one), ask(&other));
    assert_eq!([&first, &second].iter().filter(|asked| matches!(asked, Ok(Appended::Now(..)))).count(), 1);
    let standing = one.standing(id).await.unwrap().unwrap();
    assert_eq!((standing.seq, standing.episode.offers.len()), (3, 1));
    assert_eq!(other.verify(|_, _| {}).await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn one_outside_effect_told_by_two_replicas_is_recorded_once() {
    let Some(database) = Database::new().await else { return };
    let one = Store::open_postgres(&database.url()).await.unwrap();
    let other = Store::open_postgres(&database.url()).await.unwrap();
    let id = received(&one, "sr-1").await;
    record(&one, id, &matched(), 1).await;
    let offer = new_offer();
    record(&one, id, &offered(offer), 2).await;
    let tell = async |store: &Store| {
        let sent = Event::Mailed { offer, mail: OfferMail::Offer, outcome_unknown: false };
        let mut tx = store.begin().await.unwrap();
        let told = tx.record(id, &sent, Some("mail.1"), at(3), at(3)).await.unwrap();
        tx.commit().await.unwrap();
        matches!(told, Appended::Now(..))
    };
    let (first, second) = tokio::join!(tell(&one), tell(&other));
    assert!(first != second, "one of them, and only one, wrote it down");
    assert_eq!(one.events(id).await.unwrap().len(), 4);
}

#[tokio::test]
async fn many_at_once_on_many_referrals_leave_a_ledger_that_adds_up() {
    let Some(database) = Database::new().await else { return };
    let stores = [
        Store::open_postgres(&database.url()).await.unwrap(),
        Store::open_postgres(&database.url()).await.unwrap(),
        Store::open_postgres(&database.url()).await.unwrap(),
    ];
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(received(&stores[0], &format!("sr-{n}")).await);
    }
    let work = (0..60).map(|n: usize| {
        let (store, id) = (stores[n % 3].clone(), ids[n % 6]);
        tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let (minute, offer) = (i64::try_from(n).unwrap(), new_offer());
            let event = match n / 6 % 3 {
                0 => matched(),
                1 => offered(offer),
                _ => Event::Partner { offer, said: PartnerSaid::Accepted, note: None, risk: false },
            };
            match tx.record(id, &event, None, at(minute), at(minute)).await {
                Ok(_) | Err(StoreError::Refused(_)) => tx.commit().await.unwrap(),
                Err(error) => panic!("{error:?}"),
            }
        })
    });
    for done in work.collect::<Vec<_>>() {
        done.await.unwrap();
    }
    let found = stores[1].verify(|_, _| {}).await.unwrap();
    assert_eq!((found.referrals, found.problems), (6, vec![]));
}

#[tokio::test]
async fn words_with_a_nul_are_kept_without_it() {
    let Some(place) = open().await else { return };
    let mut tx = place.store.begin().await.unwrap();
    tx.edge_fails(&wellbridge::store::Edge::Mail, "it said \0 and went", at(0)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.failing_edges().await.unwrap()[0].2, "it said \u{fffd} and went");
}

#[tokio::test]
async fn what_a_dead_replica_was_doing_is_given_to_the_living_and_a_living_ones_is_not() {
    let Some(place) = open().await else { return };
    let id = received(&place.store, "sr-1").await;
    record(&place.store, id, &matched(), 1).await;
    let door = &place.back_door;
    place.store.say_alive().await.unwrap();
    let dead = "insert into replica (id, seen) select 'dead', min(seen) - 60000 from replica";
    assert_eq!(door.run(dead).await, 1);
    let alive =
        "update river_job set state = 'running', attempted_by = array['dead', (select max(id) from replica where
        id <> 'dead')] where kind = 'keep_task'";
    assert_eq!(door.run(alive).await, 1);
    let died = "update river_job set state = 'running', attempted_by = array['dead'] where kind = 'match_referral'";
    assert_eq!(door.run(died).await, 1);
    let silent = std::time::Duration::from_secs(20);
    assert_eq!(place.store.release_jobs_of_the_dead(silent).await.unwrap(), 1);
    assert_eq!(door.texts("select kind from river_job where state = 'running'").await, ["keep_task"]);
    assert_eq!(place.store.release_jobs_of_the_dead(silent).await.unwrap(), 0, "once");
}

#[tokio::test]
async fn a_store_moves_from_the_file_to_the_server_whole() {
    let Some(database) = Database::empty().await else { return };
    let place = super::sqlite::open().await.unwrap();
    let file = place.back_door.texts("select file from pragma_database_list where name = 'main'").await.remove(0);
    super::personal::walk_the_road(&place).await;
    for n in 10..700 {
        received(&place.store, &format!("sr-{n}")).await;
    }
    let held = wellbridge::store::copy(file.as_ref(), &database.url(), |_, _| ()).await.unwrap_err();
    assert!(matches!(held, StoreError::Locked(_)), "a service is running on it: {held}");
    let (before, jobs) = (place.store.counts().await.unwrap(), place.store.jobs_waiting().await.unwrap());
    place.store.close().await;

    let mut steps = Vec::new();
    let copied =
        wellbridge::store::copy(file.as_ref(), &database.url(), |done, all| steps.push((done, all))).await.unwrap();
    assert_eq!(steps.last().map(|(done, all)| done == all), Some(true));
    let rows = |name: &str| copied.tables.iter().find(|t| t.table == name).unwrap().rows;
    assert_eq!((rows("referral"), rows("note"), rows("raw_body")), (692, 4, 2));
    let moved = Store::open_postgres(&database.url()).await.unwrap();
    let found = moved.verify(|_, _| {}).await.unwrap();
    assert_eq!((found.problems, moved.counts().await.unwrap()), (vec![], before));
    assert_eq!(moved.jobs_waiting().await.unwrap(), jobs);
    let door = back_door(&database).await;
    let later = "select count(*) from river_job where state = 'scheduled' and kind = 'chase_offer' and args ->> 'why' = 'lapse'";
    assert_eq!(door.number(later).await, 1, "a deadline is a job that waits");
    let again = wellbridge::store::copy(file.as_ref(), &database.url(), |_, _| ()).await.unwrap_err();
    assert!(matches!(again, StoreError::NotEmpty), "{again}");
}

#[tokio::test]
async fn at_a_terminal_db_copy_says_what_it_moved_and_twice_the_same_and_never_the_password() {
    let (Some(first), Some(second)) = (Database::empty().await, Database::empty().await) else { return };
    let place = super::sqlite::open().await.unwrap();
    let file = place.back_door.texts("select file from pragma_database_list where name = 'main'").await.remove(0);
    super::personal::walk_the_road(&place).await;
    let (counts, jobs) = (place.store.counts().await.unwrap(), place.store.jobs_waiting().await.unwrap());
    let copy = |to: &Database, json: &[&str]| {
        let mut command = wellbridge(&std::env::temp_dir(), &[&["db", "copy", "--from-sqlite", &file], json].concat());
        Ended::from(command.env("WELLBRIDGE__DATABASE__URL", to.url()).output().unwrap())
    };
    let held = copy(&first, &[]);
    assert_eq!(held.code, Some(2), "a service is running on it: {held:?}");
    assert!(held.err.contains("nothing was moved") && held.err.contains("stop it first"), "{held:?}");
    place.store.close().await;

    let told = copy(&first, &["--json"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let told = told.json();
    let mut server = sqlx::PgConnection::connect(&first.url()).await.unwrap();
    let mut lines = Vec::new();
    for table in told["tables"].as_array().unwrap() {
        let (name, rows, hash) = (&table["table"], table["rows"].as_u64().unwrap(), table["hash"].as_str().unwrap());
        let name = name.as_str().unwrap();
        assert!(hash.len() == 32 && hash.chars().all(|c| c.is_ascii_hexdigit()), "{name}: {hash}");
        assert_eq!(rows == 0, hash.chars().all(|c| c == '0'), "{name}: a sum over its rows");
        let there = sqlx::AssertSqlSafe(format!("select count(*) from {name}"));
        let counted = sqlx::query_scalar::<_, i64>(there).fetch_one(&mut server).await.unwrap();
        assert_eq!(counted, i64::try_from(rows).unwrap(), "{name}");
        lines.push((name.to_owned(), rows.to_string(), hash.to_owned()));
    }
    assert!(lines.iter().any(|(name, rows, _)| name == "referral" && rows == "2"), "{told}");
    assert!(told["jobs"].as_i64().unwrap() >= jobs, "{told}");
    let moved = Store::open_postgres(&first.url()).await.unwrap();
    assert_eq!((moved.verify(|_, _| {}).await.unwrap().problems, moved.counts().await.unwrap()), (vec![], counts));

    let again = copy(&first, &[]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err.contains("holds something already"), "{again:?}");
    let plain = copy(&second, &[]);
    assert_eq!(plain.code, Some(0), "{plain:?}");
    for (name, rows, hash) in &lines {
        let said = |line: &str| line.split_whitespace().eq([name, rows, hash]);
        assert!(plain.out.lines().any(said), "{name} {rows} {hash}: {plain:?}");
    }
    assert!(plain.out.contains("jobs that wait were moved too"), "{plain:?}");
    let password = url::Url::parse(&first.url()).unwrap().password().unwrap().to_owned();
    for ended in [&held, &again, &plain] {
        assert!(!ended.out.contains(&password) && !ended.err.contains(&password));
    }
}
