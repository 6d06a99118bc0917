//! The mail catcher, spoken to by lettre as the service does, and by hand where lettre would be too polite.

use std::time::Duration;

use lettre::message::{Mailbox, MultiPart, header::ContentType};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Door, MailCatcher, MailFault};
use crate::clock::Clock;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

async fn catcher() -> MailCatcher {
    MailCatcher::start(Clock::fixed("2026-11-24T09:00:00Z".parse().unwrap())).await.unwrap()
}

fn transport(catcher: &MailCatcher) -> Transport {
    Transport::builder_dangerous("127.0.0.1")
        .port(catcher.address().port())
        .timeout(Some(Duration::from_secs(10)))
        .build()
}

const TAI_CHI: &str = "duty@tai-chi.example";

fn mail(to: &str, text: &str) -> Message {
    let to: Mailbox = to.parse().unwrap();
    Message::builder()
        .from("Wellbridge <referrals@wellbridge.example>".parse().unwrap())
        .to(to)
        .subject("A referral for you – café group")
        .message_id(Some("<offer-1.0@wellbridge.example>".to_owned()))
        .multipart(MultiPart::alternative_plain_html(text.to_owned(), format!("<p>{text}</p>")))
        .unwrap()
}

/// The code of a refusal; 0 for a lost connection.
fn code(error: &lettre::transport::smtp::Error) -> u16 {
    error.status().map_or(0, u16::from)
}

#[tokio::test]
async fn a_mail_is_caught_whole_and_can_be_read() {
    let catcher = catcher().await;
    let text = "Please answer by Friday.\r\n.\r\n..two dots\r\nÄ line";
    transport(&catcher).send(mail(TAI_CHI, text)).await.unwrap();
    let caught = catcher.wait_for(Duration::from_secs(10), |mail| mail.to == [TAI_CHI]).await.unwrap();
    assert_eq!(caught.envelope_from, "referrals@wellbridge.example");
    assert_eq!(caught.envelope_to, [TAI_CHI]);
    assert_eq!(caught.from, ["referrals@wellbridge.example"]);
    assert_eq!(caught.subject, "A referral for you – café group");
    assert_eq!(caught.message_id.as_deref(), Some("offer-1.0@wellbridge.example"));
    assert_eq!(caught.header("MIME-version"), Some("1.0"));
    assert_eq!(caught.text.unwrap().replace("\r\n", "\n").trim_end(), text.replace("\r\n", "\n"));
    assert!(caught.html.unwrap().starts_with("<p>Please answer"));
    assert_eq!(caught.received.to_string(), "2026-11-24T09:00:00Z");
}

#[tokio::test]
async fn a_mail_without_html_shows_none_made_up() {
    let catcher = catcher().await;
    let plain = Message::builder()
        .from("referrals@wellbridge.example".parse().unwrap())
        .to(TAI_CHI.parse().unwrap())
        .header(ContentType::TEXT_PLAIN)
        .body("Plain".to_owned())
        .unwrap();
    transport(&catcher).send(plain).await.unwrap();
    let caught = catcher.mails().remove(0);
    assert_eq!((caught.text.as_deref(), caught.html), (Some("Plain\r\n"), None));
    catcher.clear();
    assert!(catcher.mails().is_empty());
}

#[tokio::test]
async fn each_refusal_reaches_the_sender_and_keeps_nothing() {
    let catcher = catcher().await;
    for (fault, expected) in [
        (MailFault::AtRecipient(421), 421),
        (MailFault::AtRecipient(450), 450),
        (MailFault::AtRecipient(550), 550),
        (MailFault::AfterData(421), 421),
        (MailFault::AfterData(450), 450),
        (MailFault::AfterData(550), 550),
        (MailFault::LostUnkept, 0),
    ] {
        catcher.fail_next(1, "Duty@Tai-Chi.example", fault.clone());
        transport(&catcher).send(mail("other@walk.example", "Hello")).await.unwrap();
        let refused = transport(&catcher).send(mail(TAI_CHI, "Hello")).await.unwrap_err();
        assert_eq!(code(&refused), expected, "{fault:?}");
        assert!(catcher.mails_to(TAI_CHI).is_empty(), "{fault:?}");
    }
    transport(&catcher).send(mail(TAI_CHI, "Hello")).await.unwrap();
    assert_eq!(catcher.mails_to(TAI_CHI).len(), 1);
}

#[tokio::test]
async fn a_connection_lost_after_the_final_dot_may_hide_a_mail_that_arrived() {
    let catcher = catcher().await;
    catcher.fail_next(1, "", MailFault::LostKept);
    let lost = transport(&catcher).send(mail(TAI_CHI, "Hello")).await.unwrap_err();
    assert_eq!(code(&lost), 0);
    transport(&catcher).send(mail(TAI_CHI, "Hello")).await.unwrap();
    let ids: Vec<_> = catcher.mails().into_iter().map(|mail| mail.message_id.unwrap()).collect();
    assert_eq!(ids, ["offer-1.0@wellbridge.example", "offer-1.0@wellbridge.example"]);
}

#[tokio::test]
async fn a_slow_server_keeps_the_mail_though_the_sender_gave_up() {
    let catcher = catcher().await;
    catcher.fail_next(1, TAI_CHI, MailFault::Slow(Duration::from_hours(1)));
    let slow = transport(&catcher);
    let sending = tokio::spawn(async move { slow.send(mail(TAI_CHI, "Hello")).await });
    assert!(catcher.wait_for(Duration::from_secs(10), |_| true).await.is_some());
    assert!(!sending.is_finished());
    sending.abort();
}

#[tokio::test]
async fn a_busy_or_shut_door_is_noticed() {
    let catcher = catcher().await;
    for (door, expected) in [(Door::Busy, 421), (Door::Shut, 0)] {
        catcher.set_door(door);
        assert_eq!(code(&transport(&catcher).send(mail(TAI_CHI, "Hello")).await.unwrap_err()), expected);
    }
    catcher.heal();
    transport(&catcher).send(mail(TAI_CHI, "Hello")).await.unwrap();
    assert_eq!((catcher.mails().len(), catcher.connections()), (1, 3));
}

#[tokio::test]
async fn where_a_login_is_needed_only_the_right_one_may_send() {
    let clock = Clock::fixed("2026-11-24T09:00:00Z".parse().unwrap());
    let catcher = MailCatcher::start_with_login(clock, "wellbridge", "rosebud").await.unwrap();
    assert_eq!(code(&transport(&catcher).send(mail(TAI_CHI, "Hello")).await.unwrap_err()), 530);
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let with = |password: &str| {
            Transport::builder_dangerous("127.0.0.1")
                .port(catcher.address().port())
                .credentials(Credentials::new("wellbridge".to_owned(), password.to_owned()))
                .authentication(vec![mechanism])
                .build()
        };
        assert_eq!(code(&with("wrong").send(mail(TAI_CHI, "Hello")).await.unwrap_err()), 535, "{mechanism:?}");
        with("rosebud").send(mail(TAI_CHI, "Hello")).await.unwrap();
    }
    assert_eq!(catcher.mails().len(), 2);
}

/// Says all of it at once and gives every reply up to the end of the connection.
async fn talk(catcher: &MailCatcher, words: &[u8]) -> Vec<String> {
    let mut wire = BufReader::new(TcpStream::connect(catcher.address()).await.unwrap());
    wire.write_all(words).await.unwrap();
    let mut replies = Vec::new();
    let mut lines = wire.lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        replies.push(line);
    }
    replies
}

#[tokio::test]
async fn a_pipelined_conversation_is_answered_in_order() {
    let catcher = catcher().await;
    let words = "HELO a.example\r\nmail from:<a@b.example> BODY=8BITMIME\r\nRCPT TO:<c@d.example>\r\nDATA\r\n\
                 Subject: Hi\r\n\r\n..\r\n.x\r\n.\r\nQUIT\r\n";
    let codes: Vec<String> = talk(&catcher, words.as_bytes()).await.iter().map(|line| line[..3].to_owned()).collect();
    assert_eq!(codes, ["220", "250", "250", "250", "354", "250", "221"]);
    assert_eq!(catcher.mails()[0].raw, b"Subject: Hi\r\n\r\n.\r\nx\r\n");
}

#[tokio::test]
async fn a_second_message_cannot_be_smuggled_in_behind_a_bare_line_feed() {
    let catcher = catcher().await;
    let head = "HELO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";
    let words = format!("{head}one\n.\nMAIL FROM:<evil@b.example>\r\nRCPT TO:<c@d.example>\r\n.\r\nQUIT\r\n");
    talk(&catcher, words.as_bytes()).await;
    let mails = catcher.mails();
    assert_eq!((mails.len(), mails[0].envelope_from.as_str()), (1, "a@b.example"));
}

#[tokio::test]
async fn what_is_too_long_or_too_large_is_refused_and_the_conversation_goes_on() {
    let catcher = catcher().await;
    let head = "HELO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";
    let long = format!("{head}{}\r\n.\r\nQUIT\r\n", "x".repeat(3000));
    let large = format!("{head}{}.\r\nQUIT\r\n", format!("{}\r\n", "x".repeat(900)).repeat(6000));
    let most = format!("{head}{}\r\n.\r\nQUIT\r\n", "x".repeat(998));
    for (words, expected) in [(&long, "500"), (&large, "552"), (&most, "250")] {
        let replies = talk(&catcher, words.as_bytes()).await;
        assert_eq!(&replies[replies.len() - 2][..3], expected);
    }
    let declared = talk(&catcher, b"EHLO a.example\r\nMAIL FROM:<a@b.example> SIZE=6000000\r\nQUIT\r\n").await;
    assert!(declared.iter().any(|line| line.starts_with("552")), "{declared:?}");
    let out_of_order = talk(&catcher, b"HELO a\r\nDATA\r\nRCPT TO:<c@d.example>\r\nSING\r\nQUIT\r\n").await;
    let codes: Vec<&str> = out_of_order.iter().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "250", "503", "503", "500", "221"]);
    assert_eq!(catcher.mails().len(), 1);
}
