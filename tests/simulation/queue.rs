//! The queue's own hours: River schedules a retry by the machine's clock, while the story's is days ahead of it.
//!
//! Whatever River stamped is moved into the story's time, so that a retry comes when its schedule says, and a horizon is as
//! long for a scenario as it is for people. On PostgreSQL the others would notice a death after 25 seconds; here they have.

use std::time::Duration;

use wellbridge::store::Store;

use super::op::Table;
use super::support::peers::PATIENCE;
use super::support::world::World;

/// The story runs so far ahead of the machine's clock that nobody can mistake one for the other, whatever a retry waits.
pub(crate) const AHEAD_HOURS: i64 = 26;

/// What follows is true of a row that was stamped by the machine's clock: half a day ahead of it at most.
const SQLITE: &str = "update river_job set state = 'retryable',
      scheduled_at = strftime('%Y-%m-%d %H:%M:%f', scheduled_at, '+AHEAD seconds'),
      errors = case when julianday(json_extract(json(errors), '$[0].at')) > julianday('now') + 0.5 then errors
        else jsonb(json_set(json(errors), '$[0].at',
          strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(json(errors), '$[0].at'), '+AHEAD seconds'))) end
    where state in ('retryable', 'available') and errors is not null and json_array_length(json(errors)) > 0
      and julianday(scheduled_at) > julianday('now') and julianday(scheduled_at) < julianday('now') + 0.5";
const POSTGRES: &str = "update river_job set state = 'retryable',
      scheduled_at = scheduled_at + interval 'AHEAD seconds',
      errors[1] = jsonb_set(errors[1], '{at}', to_jsonb(cast(errors[1]->>'at' as timestamptz)
        + case when cast(errors[1]->>'at' as timestamptz) > now() + interval '12 hours' then interval '0'
          else interval 'AHEAD seconds' end))
    where state in ('retryable', 'available') and coalesce(array_length(errors, 1), 0) > 0
      and scheduled_at > now() and scheduled_at < now() + interval '12 hours'";

const PUT_BACK: &str = "update river_job set state = 'available' where state = 'running'";
const CUT: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()";

/// Whether this scenario runs on PostgreSQL.
pub(crate) fn is_postgres(world: &World) -> bool {
    world.database().starts_with("postgres")
}

/// Waits until nothing is left to be done now by the story's clock.
pub(crate) async fn drain(world: &World) {
    let drained = async {
        // Tries that fail wait for the story's time, not the machine's: looked at now and then, since it writes.
        for looks in 0_u32.. {
            if looks.is_multiple_of(20) {
                in_story_time(world).await;
            }
            if is_empty(&world.service.store).await {
                in_story_time(world).await;
                if is_empty(&world.service.store).await {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(8)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drained).await.expect("the queue does not drain");
}

async fn is_empty(store: &Store) -> bool {
    // A database that was just cut off answers at the next look.
    matches!(store.jobs_waiting().await, Ok(0))
}

async fn in_story_time(world: &World) {
    let machine = wellbridge::clock::Clock::System.now();
    let ahead = world.clock.now().duration_since(machine).as_secs();
    let text = if is_postgres(world) { POSTGRES } else { SQLITE };
    world.past_the_store(&text.replace("AHEAD", &ahead.to_string())).await;
}

/// What the dead process was doing is anybody's again. SQLite's store does that by itself when it is opened.
pub(crate) async fn bury(world: &World) {
    if is_postgres(world) {
        world.past_the_store(PUT_BACK).await;
    }
}

/// Every connection to the server is cut. False where the database is a file.
pub(crate) async fn cut(world: &World) -> bool {
    if is_postgres(world) {
        world.past_the_store(CUT).await;
    }
    is_postgres(world)
}

const fn name(table: Table) -> &'static str {
    match table {
        Table::Events => "event",
        Table::Mails => "mail",
        Table::Alerts => "alert",
        Table::Results => "filing_result",
    }
}

/// The database takes no further row of this kind.
pub(crate) async fn refuse(world: &World, table: Table) {
    let table = name(table);
    let text = if is_postgres(world) {
        format!(
            "do $do$ begin
               create or replace function refused() returns trigger language plpgsql
                 as $f$ begin raise exception 'no space left on device'; end $f$;
               create or replace trigger refused before insert on {table} for each row execute function refused();
             end $do$"
        )
    } else {
        format!(
            "create trigger if not exists refused_{table} before insert on {table}
             begin select raise(abort, 'disk I/O error'); end"
        )
    };
    world.past_the_store(&text).await;
}

/// It takes everything again.
pub(crate) async fn mend(world: &World) {
    for table in [Table::Events, Table::Mails, Table::Alerts, Table::Results].map(name) {
        let text = if is_postgres(world) {
            format!("drop trigger if exists refused on {table}")
        } else {
            format!("drop trigger if exists refused_{table}")
        };
        world.past_the_store(&text).await;
    }
}
