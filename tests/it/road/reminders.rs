//! The one reminder: after the mail it reminds of, not lost with it, and never twice.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::net::{TcpListener, TcpStream};
use wellbridge::jobs;
use wellbridge::referral::PracticeId;
use wellbridge::settings::deadlines::subtract_working_days;

use crate::support::peers::PATIENCE;
use crate::support::story::Story;
use crate::support::world::{Plan, World};

/// A door before the mail server: whoever connects waits for a greeting until it is opened.
struct Gate(TcpListener);

impl Gate {
    async fn shut() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    fn port(&self) -> i64 {
        i64::from(self.0.local_addr().unwrap().port())
    }

    /// The next one to connect.
    async fn somebody_waits(&self) -> TcpStream {
        tokio::time::timeout(PATIENCE, self.0.accept()).await.expect("nobody connects").unwrap().0
    }

    /// Lets in who waits, and everybody who comes.
    fn opens(self, waiting: TcpStream, server: SocketAddr) {
        tokio::spawn(lead_in(waiting, server));
        tokio::spawn(async move {
            while let Ok((next, _)) = self.0.accept().await {
                tokio::spawn(lead_in(next, server));
            }
        });
    }
}

async fn lead_in(mut from: TcpStream, server: SocketAddr) {
    let mut to = TcpStream::connect(server).await.unwrap();
    // Either side may hang up.
    let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
}

/// The kinds of mail that a partner got, in the order in which they came.
fn kinds(world: &World, partner: &str) -> Vec<String> {
    let kind = |id: &str| id.split('.').nth(1).unwrap().to_owned();
    world.mails_to_partner(partner).iter().map(|mail| kind(mail.message_id.as_deref().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_that_is_due_before_its_mail_has_left_comes_after_it_once() {
    let gate = Gate::shut().await;
    let plan = Plan::usual().set("mail.port", gate.port()).set("mail.connect_timeout", "2 minutes");
    let world = plan.open().await;
    let sent = Story::lonely().send(&world.record).await;
    jobs::poll_now(&world.service.store, &PracticeId::new("burton-croft")).await.unwrap();
    let waiting = gate.somebody_waits().await;
    let offer = world.open_offer(&sent).await;
    let partner = World::partner_of(&offer);
    // The reminder's morning comes while the mail server has not even greeted us.
    let holidays = &world.service.settings.bank_holidays;
    let remind_at = subtract_working_days(offer.reply_by, 2, holidays);
    world.clock.advance(remind_at.duration_since(world.clock.now()) + SignedDuration::from_secs(1));
    world.service.store.bring_forward(world.clock.now()).await.unwrap();
    let looked = async {
        while world.jobs_of("chase_offer", "completed").await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.expect("nobody looks at the offer");
    assert!(!world.open_offer(&sent).await.mailed, "the mail itself still waits");
    gate.opens(waiting, world.mail.address());
    world.drain().await;
    assert_eq!(kinds(&world, &partner), ["offer"], "nobody is reminded of what has just come");
    world.advance(SignedDuration::from_hours(5)).await;
    assert_eq!(kinds(&world, &partner), ["offer", "reminder"], "it was not lost");
    assert!(world.open_offer(&sent).await.reminded);
    // Nothing more until the deadline, which stays where it was; then the next one is asked.
    world.advance_working_days(1).await;
    assert_eq!(kinds(&world, &partner), ["offer", "reminder"]);
    world.advance_working_days(1).await;
    assert_ne!(world.open_offer(&sent).await.id, offer.id, "silence past the deadline");
    assert_eq!(kinds(&world, &partner), ["offer", "reminder"], "and who was silent is left in peace");
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}
