//! The mailer against a small mail server on loopback whose answers are scripted.

mod server;
mod tls;

use std::sync::{Arc, atomic::Ordering};

use server::{Says, Smtp};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::*;
use crate::{
    partner::{mail::MailKind, message::MessageId, templates::Rendered},
    referral::OfferId,
    settings::{Secret, mail::SignIn},
};

fn outgoing() -> Outgoing {
    Outgoing {
        message_id: MessageId::for_offer(OfferId::from_uuid(Uuid::from_u128(1)), MailKind::Offer, 1, "leeds.example"),
        to: "office@tai-chi.example".parse().unwrap(),
        reply_to: None,
        in_reply_to: None,
        date: "2026-11-24T10:00:00Z".parse().unwrap(),
        rendered: Rendered { subject: "Can you help?".into(), text: "Hello\n".into(), html: "<p>Hello</p>\n".into() },
    }
}

#[tokio::test]
async fn a_mail_reaches_one_recipient_and_the_servers_words_come_back() {
    let smtp = Smtp::start(&[]).await;
    let answer = smtp.mailer().send(&outgoing()).await.unwrap();
    assert_eq!(answer, SmtpAnswer { code: 250, text: "2.0.0 Ok: queued as 4RkB".into() });
    let commands = smtp.commands();
    assert_eq!(commands[1..4], ["MAIL FROM:<referrals@leeds.example>", "RCPT TO:<office@tai-chi.example>", "DATA"]);
    assert!(smtp.mails()[0].contains("Message-ID: <00000000000000000000000000000001.offer.1@leeds.example>\n"));
    assert!(smtp.mails()[0].contains("Auto-Submitted: auto-generated\n"));
}

#[tokio::test]
async fn what_the_server_says_at_each_step_decides_what_to_do() {
    use Says::{HangUp, Line};
    for (step, says, what, bad) in [
        ("", Line("421 4.3.2 closing"), "retry", false),
        ("", Line("554 no service"), "person", false),
        ("", HangUp, "retry", false),
        ("EHLO", HangUp, "retry", false),
        ("MAIL", Line("450 4.7.1 later"), "retry", false),
        ("MAIL", Line("550 5.1.8 sender unknown"), "person", false),
        ("MAIL", HangUp, "retry", false),
        ("RCPT", Line("450 4.2.0 greylisted"), "retry", false),
        ("RCPT", Line("550 5.1.1 unknown"), "give up", true),
        ("RCPT", Line("550-5.1.1 two\r\n550 5.1.1 lines"), "give up", true),
        ("RCPT", Line("554 5.7.1 relay access denied"), "person", false),
        ("RCPT", HangUp, "retry", false),
        ("DATA", Line("451 4.3.0 later"), "retry", false),
        ("DATA", HangUp, "retry", false),
        (".", Line("451 4.3.0 later"), "retry", false),
        (".", Line("554 5.7.1 spam"), "give up", false),
        (".", HangUp, "unknown", false),
    ] {
        let smtp = Smtp::start(&[(step, says)]).await;
        let error = smtp.mailer().send(&outgoing()).await.unwrap_err();
        let found = match &error.effect {
            EffectError::RetryAfter { .. } => "retry",
            EffectError::GiveUp { .. } => "give up",
            EffectError::OutcomeUnknown { .. } => "unknown",
            EffectError::NeedsPerson { .. } => "person",
        };
        assert_eq!((found, error.address_is_bad), (what, bad), "{step} {says:?}: {error}");
        assert!(!error.to_string().contains("tai-chi"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_not_waited_for_for_ever() {
    for (step, what) in [("", "retry"), ("EHLO", "retry"), ("RCPT", "retry"), (".", "unknown")] {
        let smtp = Smtp::start(&[(step, Says::Nothing)]).await;
        let brief = Duration::from_millis(60);
        let settings =
            Mail { connect_timeout: brief, command_timeout: brief, answer_timeout: brief, ..smtp.settings() };
        let error = Mailer::new(&settings).unwrap().send(&outgoing()).await.unwrap_err();
        let unknown = matches!(error.effect, EffectError::OutcomeUnknown { .. });
        assert_eq!(unknown, what == "unknown", "{step}: {error}");
        assert!(unknown || matches!(error.effect, EffectError::RetryAfter { .. }), "{step}: {error}");
    }
}

#[tokio::test]
async fn a_second_try_after_an_unknown_outcome_is_the_same_mail() {
    let smtp = Smtp::start(&[(".", Says::HangUp)]).await;
    let mailer = smtp.mailer();
    assert!(matches!(mailer.send(&outgoing()).await.unwrap_err().effect, EffectError::OutcomeUnknown { .. }));
    mailer.send(&outgoing()).await.unwrap();
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0], mails[1]);
}

#[tokio::test]
async fn one_connection_serves_many_mails_and_a_dead_one_is_replaced_unseen() {
    let smtp = Smtp::start(&[]).await;
    let mailer = smtp.mailer();
    for _ in 0..3 {
        mailer.send(&outgoing()).await.unwrap();
    }
    assert_eq!(smtp.heard.connections.load(Ordering::SeqCst), 1);
    // The server ends the idle connection at the next command; the mail goes out on a new one.
    smtp.heard.script.lock().unwrap().push_back(("MAIL", Says::HangUp));
    mailer.send(&outgoing()).await.unwrap();
    smtp.heard.script.lock().unwrap().push_back(("MAIL", Says::Line("421 4.4.2 idle for too long")));
    mailer.send(&outgoing()).await.unwrap();
    assert_eq!(smtp.heard.connections.load(Ordering::SeqCst), 3);
    assert_eq!(smtp.mails().len(), 5);
    mailer.close().await;
    assert_eq!(smtp.commands().last().map(String::as_str), Some("QUIT"));
}

#[tokio::test]
async fn no_more_connections_are_open_than_are_allowed() {
    let smtp = Smtp::start(&[]).await;
    smtp.gate.send(false).unwrap();
    let mailer = Arc::new(smtp.mailer());
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mailer = Arc::clone(&mailer);
        sending.spawn(async move { mailer.send(&outgoing()).await });
    }
    // Two mails lie at the server unanswered; the other six wait for a connection.
    while smtp.mails().len() < 2 {
        tokio::task::yield_now().await;
    }
    smtp.gate.send(true).unwrap();
    while let Some(sent) = sending.join_next().await {
        sent.unwrap().unwrap();
    }
    assert_eq!(smtp.heard.most_open.load(Ordering::SeqCst), 2);
    assert_eq!(smtp.mails().len(), 8);
}

#[tokio::test]
async fn a_mail_that_finds_every_connection_busy_is_tried_again_later() {
    let smtp = Smtp::start(&[]).await;
    smtp.gate.send(false).unwrap();
    let settings = Mail { max_connections: 1, connect_timeout: Duration::from_millis(200), ..smtp.settings() };
    let mailer = Arc::new(Mailer::new(&settings).unwrap());
    let first = tokio::spawn({
        let mailer = Arc::clone(&mailer);
        async move { mailer.send(&outgoing()).await }
    });
    while smtp.mails().is_empty() {
        tokio::task::yield_now().await;
    }
    let error = mailer.send(&outgoing()).await.unwrap_err();
    assert!(error.to_string().contains("busy"), "{error}");
    smtp.gate.send(true).unwrap();
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn each_way_of_signing_in_sends_what_it_should() {
    let sign_in = || SignIn { username: "u@leeds.example".into(), secret: Secret::from_text("0012e3") };
    // base64 of "\0u@leeds.example\00012e3" and of "user=u@leeds.example\x01auth=Bearer 0012e3\x01\x01".
    let plain = "AUTH PLAIN AHVAbGVlZHMuZXhhbXBsZQAwMDEyZTM=";
    let bearer = "AUTH XOAUTH2 dXNlcj11QGxlZWRzLmV4YW1wbGUBYXV0aD1CZWFyZXIgMDAxMmUzAQE=";
    for (auth, expected) in [(MailAuth::Plain(sign_in()), plain), (MailAuth::XOAuth2(sign_in()), bearer)] {
        let smtp = Smtp::start(&[]).await;
        let mailer = Mailer::new(&Mail { auth, ..smtp.settings() }).unwrap();
        assert_eq!(mailer.check().await.unwrap(), format!("127.0.0.1:{} answers, no TLS, signed in", smtp.port));
        assert_eq!(smtp.commands()[1], expected);
        assert!(smtp.mails().is_empty() && !smtp.commands().iter().any(|c| c.starts_with("MAIL")));
    }
}

#[tokio::test]
async fn a_refused_sign_in_needs_a_person_and_shows_no_secret() {
    for auth in [MailAuth::Plain, MailAuth::Login, MailAuth::XOAuth2] {
        let smtp = Smtp::start(&[("AUTH", Says::Line("535 5.7.8 bad credentials for u@leeds.example"))]).await;
        let sign_in = SignIn { username: "u@leeds.example".into(), secret: Secret::from_text("hunter2-secret") };
        let mailer = Mailer::new(&Mail { auth: auth(sign_in), ..smtp.settings() }).unwrap();
        let error = mailer.send(&outgoing()).await.unwrap_err();
        assert!(matches!(&error.effect, EffectError::NeedsPerson { why } if why.contains("mail.username")), "{error}");
        assert!(!format!("{error:?} {mailer:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn nothing_leaves_where_tls_is_required_and_not_offered() {
    let smtp = Smtp::start(&[]).await;
    let mailer = Mailer::new(&Mail { tls: MailTls::Required, ..smtp.settings() }).unwrap();
    let error = mailer.send(&outgoing()).await.unwrap_err();
    assert!(matches!(error.effect, EffectError::NeedsPerson { .. }), "{error}");
    assert!(!smtp.commands().iter().any(|c| c.starts_with("MAIL")));
    // "opportunistic" takes what there is.
    let mailer = Mailer::new(&Mail { tls: MailTls::Opportunistic, ..smtp.settings() }).unwrap();
    mailer.send(&outgoing()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_later() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let smtp = Smtp::start(&[]).await;
    let error = Mailer::new(&Mail { port, ..smtp.settings() }).unwrap().check().await.unwrap_err();
    assert!(
        matches!(&error.effect, EffectError::RetryAfter { why, .. } if why.contains("cannot be reached")),
        "{error}"
    );
}
