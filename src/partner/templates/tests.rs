//! Mails as partners and coordinators get them.

use std::fs;

use super::*;
use crate::partner::{
    mail::OfferMail,
    plain::{Line, Words},
};

fn compiled() -> Templates {
    Templates::load(None).unwrap()
}

fn offer() -> OfferMail {
    let Mail::Offer(offer) = sample::mails().remove(0).mail else { panic!("the first sample is an offer") };
    offer
}

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("wellbridge-templates-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    for (file, text) in files {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn every_mail_reads_well_as_text() {
    for sample in sample::mails() {
        let rendered = compiled().render("en-GB", &sample.mail).unwrap();
        insta::assert_snapshot!(
            format!("{}.txt", sample.name),
            format!("Subject: {}\n\n{}", rendered.subject, rendered.text)
        );
    }
}

#[test]
fn every_mail_reads_well_as_html() {
    for sample in sample::mails() {
        let rendered = compiled().render("en-GB", &sample.mail).unwrap();
        insta::assert_snapshot!(format!("{}.html", sample.name), rendered.html);
    }
}

#[test]
fn the_compiled_in_templates_pass_their_own_check() {
    assert_eq!(compiled().check(), Ok(sample::mails().len()));
    // Every file under config/email is compiled in: none is forgotten in the list.
    let mut problems = Vec::new();
    let on_disk = files_below(Path::new("config/email"), &mut problems);
    let mut listed: Vec<&str> = compiled_in().into_iter().map(|(name, _)| name).collect();
    listed.sort_unstable();
    assert_eq!(on_disk, listed);
}

#[test]
fn no_value_can_break_out_of_its_place() {
    let evil = "Walks\r\nBcc: all@charity.example\r\n\r\n<script>alert(1)</script>\u{2028}\u{202e}{{ sender }}{% raw %}\
                \"onmouseover=\"x =?utf-8?q?=0ABcc:_x@y.example?=";
    let mail = OfferMail {
        service: Line::new(evil),
        need: Line::new(evil),
        access: vec![Line::new(evil)],
        reply_by: Line::new(evil),
        reference: Line::new(evil),
        words: Words::new(evil),
        ..offer()
    };
    let rendered = compiled().render("en-GB", &Mail::Offer(mail)).unwrap();
    assert!(!rendered.subject.contains(['\r', '\n', '\u{2028}', '\u{202e}']) && !rendered.subject.contains("=?"));
    assert!(!rendered.html.contains("<script") && !rendered.html.contains("\"onmouseover"));
    assert!(rendered.html.contains("&lt;script&gt;") && rendered.html.contains("{{ sender }}"));
    assert!(!rendered.text.contains(['\r', '\u{2028}', '\u{202e}']));
    // In the text part a value with line breaks cannot make a line of its own, and a coordinator's lines are quoted.
    let own = rendered.text.lines().filter(|line| line.starts_with("Bcc") || line.starts_with("<script"));
    assert_eq!(own.count(), 0, "{}", rendered.text);
    assert!(rendered.text.contains("\n> Bcc: all@charity.example\n"));
}

#[test]
fn an_offer_says_only_what_it_may() {
    let fields = serde_json::to_value(Mail::Offer(offer())).unwrap();
    let names: Vec<&String> = fields.as_object().unwrap().keys().collect();
    assert_eq!(names, ["sender", "service", "need", "access", "reply_by", "reference", "words", "yes", "no"]);
}

#[test]
fn an_operators_file_stands_in_for_one_part() {
    let dir = folder("one", &[("offer/en-GB/subject.txt", "One moment please? {{ reference }}\n")]);
    let templates = Templates::load(Some(&dir)).unwrap();
    let rendered = templates.render("en-GB", &Mail::Offer(offer())).unwrap();
    assert_eq!(rendered.subject, "One moment please? 7GK3-Q2ZD");
    assert!(rendered.text.contains("WHAT HAPPENS NEXT"));
}

#[test]
fn a_language_without_a_mail_gets_the_compiled_in_one() {
    let parts = [
        ("code/cy/subject.txt", "Eich cod (cyfeirnod {{ reference }})"),
        ("code/cy/body.txt", "{{ code }} {{ minutes }} {{ reference }} {{ sender.phone }} {{ sender.programme }}"),
        (
            "code/cy/body.html",
            "<p>{{ code }} {{ minutes }} {{ reference }} {{ sender.phone }} {{ sender.programme }}</p>",
        ),
    ];
    let templates = Templates::load(Some(&folder("cy", &parts))).unwrap();
    let code = sample::mails().into_iter().find(|s| s.mail.kind() == MailKind::Code).unwrap().mail;
    assert_eq!(templates.render("cy", &code).unwrap().subject, "Eich cod (cyfeirnod 7GK3-Q2ZD)");
    assert!(templates.render("cy", &Mail::Offer(offer())).unwrap().subject.starts_with("Can you help?"));
    assert_eq!(templates.check(), Ok(sample::mails().len() + 1));
    assert_eq!(templates.languages().into_iter().collect::<Vec<_>>(), ["cy", "en-GB"]);
    let half = Templates::load(Some(&folder("half", &parts[..2]))).unwrap_err();
    assert!(half[0].file.ends_with("code/cy/body.html") && half[0].what.contains("is missing"), "{half:?}");
}

#[test]
fn a_slip_in_a_template_is_named_with_file_and_line() {
    let dir = folder("slip", &[("offer/en-GB/body.txt", "Hello\n{% if words %}\nno end\n")]);
    let problem = Templates::load(Some(&dir)).unwrap_err().remove(0);
    assert!(problem.file.ends_with("offer/en-GB/body.txt") && problem.line.is_some(), "{problem}");

    let dir = folder("name", &[("offer/en-GB/body.txt", "Hello\n\n{{ patient_name }}\n")]);
    let problem = Templates::load(Some(&dir)).unwrap().check().unwrap_err().remove(0);
    assert!(problem.file.ends_with("offer/en-GB/body.txt"), "{problem}");
    assert_eq!(problem.line, Some(3), "{problem}");

    let dir = folder("file", &[("offer/en-GB/body.htm", "Hello")]);
    let problem = Templates::load(Some(&dir)).unwrap_err().remove(0);
    assert!(problem.what.contains("no mail uses this file"), "{problem}");
}

#[test]
fn a_template_that_forgets_a_link_or_shows_the_need_in_its_subject_is_refused() {
    let dir = folder(
        "forgets",
        &[("offer/en-GB/subject.txt", "{{ need }}"), ("reminder/en-GB/body.txt", "{{ yes }} {{ reply_by }}")],
    );
    let problems = Templates::load(Some(&dir)).unwrap().check().unwrap_err();
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(all.iter().any(|p| p.contains("offer/en-GB/subject.txt") && p.contains("neutral")), "{all:?}");
    assert!(
        all.iter().any(|p| p.contains("reminder/en-GB/body.txt") && p.contains("wellbridge.example/no")),
        "{all:?}"
    );
}

#[test]
fn what_is_printed_for_debugging_shows_no_link_and_no_code() {
    for sample in sample::mails() {
        let shown = format!("{:?} {:?}", sample.mail, compiled().render("en-GB", &sample.mail).unwrap());
        assert!(!shown.contains("123 456") && !shown.contains("wellbridge.example/"), "{shown}");
    }
}
