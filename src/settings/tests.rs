//! Settings as an operator meets them: a text, some variables, and what Wellbridge says to them.

use std::{collections::BTreeMap, fs, time::Duration};

use super::*;

/// The smallest settings that start.
const SMALL: &str = include_str!("testdata/small.toml");

fn load(text: &str) -> Result<Settings, SettingsError> {
    load_env(text, &[])
}

fn load_env(text: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let env: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::load(&LoadFrom { file: ConfigFile::Text(text.to_owned()), env })
}

/// `SMALL` with one piece replaced; an empty replacement takes the piece's whole line away.
fn with(piece: &str, other: &str) -> String {
    assert!(SMALL.contains(piece), "{piece}");
    SMALL.replace(piece, other)
}

fn said(text: &str) -> String {
    load(text).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_smallest_settings_start_with_careful_defaults() {
    let settings = load(SMALL).unwrap();
    assert_eq!(file_of(&settings), "data/wellbridge.sqlite");
    assert_eq!(settings.web.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((settings.mail.tls, settings.mail.port), (MailTls::Required, 587));
    assert_eq!(settings.mail.longest_send(), Duration::from_secs(150));
    let programme = settings.programme_of(&"burton-croft".into()).unwrap();
    assert_eq!(programme.mode, Mode::Propose);
    assert_eq!(programme.deadlines, Deadlines { reply_by: 5, remind_before: 2, waiting_too_long: 3 });
    assert_eq!(programme.duty.alert_again_after, Duration::from_mins(30));
    assert_eq!((programme.consent, programme.max_tries), (crate::referral::facts::ConsentPolicy::Recorded, 3));
    let practice = &settings.practices[&"burton-croft".into()];
    assert_eq!(practice.fhir.base.as_str(), "https://fhir.burton-croft.example/r4/");
    assert_eq!(practice.fhir.poll_every, Duration::from_mins(5));
    assert!(!practice.practice_codes_itself && !practice.complete_request);
    assert_eq!(settings.feeds["city"].sync_every, Duration::from_hours(24));
}

#[test]
fn the_default_file_is_complete_and_its_examples_work() {
    // Every commented-out setting uncommented: it must load but for the files it names, so those lines stay out.
    let example: String = layers::DEFAULTS
        .lines()
        .filter(|line| !line.contains("_file =") && !line.starts_with("#templates") && !line.starts_with("#mappings"))
        .map(|line| line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c != ' ')).unwrap_or(line))
        .filter(|line| !line.starts_with("username") && !line.starts_with("auth = \"bearer\""))
        .fold(String::new(), |text, line| text + line + "\n");
    let settings = load(&example).unwrap();
    assert!(matches!(&settings.programmes[&"leeds".into()].mode, Mode::Auto { needs, .. } if needs.len() == 2));
    assert!(matches!(
        &settings.practices[&"burton-croft".into()].fhir.organisation,
        OurOrganisation::Identifier { value, .. } if value == "X0001"
    ));
}

#[test]
fn every_key_that_is_read_is_documented() {
    let problems = Problems::default();
    let tree =
        layers::join(&LoadFrom { file: ConfigFile::Text(SMALL.into()), env: BTreeMap::new() }, &problems).unwrap();
    let root = Section::root(tree, &problems);
    read(&root);
    root.finish();
    let keys = problems.keys();
    assert!(keys.len() > 60, "{keys:?}");
    for key in keys {
        assert!(documented(&key), "{key} is not in the default file");
    }
}

/// Set, shown as an example, a section's name, or a secret shown as its file.
fn documented(key: &str) -> bool {
    let text = layers::DEFAULTS;
    let forms = [format!("\n{key} = "), format!("\n#{key} = "), format!("\n#{key}_file = ")];
    let is_set = forms.iter().any(|form| text.contains(form.as_str()));
    let mut headings = text.lines().filter(|line| line.contains('[') && line.ends_with(']'));
    is_set || headings.any(|line| line.trim_matches(['#', '[', ']']).split('.').any(|part| part == key))
}

#[test]
fn all_problems_are_listed_at_once_each_with_its_key_and_place() {
    let text = with("https://wellbridge.example", "http://wellbridge.example")
        .replace("mode = \"propose\"\n", "")
        .replace("phone = \"0113 496 0100\"", "phon = \"0113 496 0100\"")
        .replace("programme = \"leeds\"", "programme = \"leds\"")
        .replace("kind = \"file\"", "kind = \"ftp\"");
    insta::assert_snapshot!(said(&text), @r#"
    The settings cannot be used. 6 things to put right:
      - web.public_url (in settings): must begin with https://, since partners see personal data behind it. Put a proxy that ends TLS in front; http is for a demo on 127.0.0.1 only.
      - programmes.leeds.phone: is missing. It signs every mail: the number a charity rings with a question.
      - programmes.leeds.mode: is missing. Write "propose" (a coordinator approves each offer with one click) or "auto" (the service itself sends offers for the low-risk needs listed in `auto_needs`, which your clinical safety officer has signed off).
      - programmes.leeds.phon (in settings): is not a setting of Wellbridge. Did you mean `phone`?
      - practices.burton-croft.programme (in settings): names `leds`, but there is no section [programmes.leds].
      - directory.feeds.city.kind (in settings): must be one of: file, http.
    "#);
}

#[test]
fn a_programme_without_a_duty_address_does_not_start() {
    let said = said(&with("duty_address = \"duty@leeds.example\"\nsecond_duty_address", "second_duty_address"));
    assert!(said.contains("programmes.leeds.duty_address: is missing."), "{said}");
    assert!(said.contains("Wellbridge is not for urgent messages"), "{said}");
    let same = with("lead@leeds.example", "duty@leeds.example");
    assert!(self::said(&same).contains("another person"));
}

#[test]
fn auto_needs_a_list_and_the_officer_who_signed_it() {
    let said = said(&with("mode = \"propose\"", "mode = \"auto\""));
    assert!(said.contains("programmes.leeds.auto_needs: is empty"), "{said}");
    assert!(said.contains("programmes.leeds.signed_off_by: is missing"), "{said}");
    let good = with(
        "mode = \"propose\"",
        "mode = \"auto\"\nauto_needs = [\"befriending\"]\nsigned_off_by = \"Dr A. Example\"",
    );
    let mode = &load(&good).unwrap().programmes[&"leeds".into()].mode;
    assert!(mode.may_send_alone(&"befriending".into()) && !mode.may_send_alone(&"benefits-advice".into()));
    assert!(!Mode::Propose.may_send_alone(&"befriending".into()));
}

#[test]
fn links_in_mails_are_https_except_on_this_machine() {
    for (url, fine) in [
        ("http://127.0.0.1:8080", true),
        ("http://localhost:8080", true),
        ("http://[::1]:8080", true),
        ("http://127.0.0.1.evil.example", false),
        ("http://wellbridge.example", false),
        ("https://wellbridge.example/some/path", false),
        ("https://user:secret@wellbridge.example", false),
        ("ftp://wellbridge.example", false),
    ] {
        assert_eq!(load(&with("https://wellbridge.example", url)).is_ok(), fine, "{url}");
    }
}

#[test]
fn mail_without_tls_leaves_for_this_machine_only() {
    for (host, fine) in [("127.0.0.1", true), ("localhost", true), ("smtp.leeds.example", false), ("10.0.0.5", false)] {
        let text = with("host = \"smtp.leeds.example\"", &format!("host = \"{host}\"\ntls = \"none\""));
        assert_eq!(load(&text).is_ok(), fine, "{host}");
    }
}

#[test]
fn a_password_that_looks_like_a_number_stays_text() {
    let signing_in = with("host =", "auth = \"plain\"\nusername = \"u\"\nhost =");
    for password in ["0012e3", "true", "1_000", " spaced "] {
        let settings = load_env(&signing_in, &[("WELLBRIDGE__MAIL__PASSWORD", password)]).unwrap();
        let MailAuth::Plain(sign_in) = settings.mail.auth else { panic!("{:?}", settings.mail.auth) };
        assert_eq!(sign_in.secret.expose(), password);
    }
}

#[test]
fn the_environment_wins_over_the_file_and_types_its_text() {
    let settings = load_env(
        SMALL,
        &[
            ("WELLBRIDGE__MAIL__PORT", "465"),
            ("WELLBRIDGE__MAIL__ANSWER_TIMEOUT", "5 min"),
            ("WELLBRIDGE__WEB__TRUSTED_PROXIES", "10.1.2.3, 10.2.0.0/16"),
            ("WELLBRIDGE__PRACTICES__BURTON_CROFT__AUTH", "bearer"),
            ("WELLBRIDGE__PRACTICES__BURTON_CROFT__TOKEN", "0012e3"),
            ("WELLBRIDGE__DEFAULTS__PROGRAMME__REPLY_BY", "7"),
            ("OTHER", "x"),
        ],
    )
    .unwrap();
    assert_eq!((settings.mail.port, settings.mail.answer_timeout), (465, Duration::from_mins(5)));
    assert_eq!(settings.web.trusted_proxies.len(), 2);
    assert_eq!(settings.programmes[&"leeds".into()].deadlines.reply_by, 7);
    let practice = &settings.practices[&"burton-croft".into()];
    assert!(matches!(&practice.fhir.auth, FhirAuth::Bearer(token) if token.expose() == "0012e3"));
}

#[test]
fn names_given_by_people_are_kept_as_they_were_written() {
    let text = SMALL.replace("[practices.burton-croft]", "[practices.\"Burton.Croft_2\"]");
    let settings = load_env(&text, &[("WELLBRIDGE__PRACTICES__BURTON.CROFT_2__NAME", "Other")]).unwrap();
    assert_eq!(settings.practices[&"Burton.Croft_2".into()].name.as_str(), "Other");
    let nothing = load("").map(|_| ()).unwrap_err().to_string();
    for key in ["web.public_url", "mail.host", "mail.from", "programmes:", "practices:", "directory.feeds:"] {
        assert!(nothing.contains(key), "{nothing}");
    }
}

#[test]
fn a_variable_with_a_slip_is_named_and_makes_no_new_section() {
    let said = load_env(
        SMALL,
        &[("WELLBRIDGE__PRACTICES__BURTON__TOKEN", "x"), ("WELLBRIDGE__MAIL__HOTS", "smtp.other.example")],
    )
    .map(|_| ())
    .unwrap_err()
    .to_string();
    assert!(said.contains("WELLBRIDGE__PRACTICES__BURTON__TOKEN: there is no `practices.burton`"), "{said}");
    assert!(said.contains("mail.hots (in WELLBRIDGE__MAIL__HOTS): is not a setting"), "{said}");
    assert!(said.contains("Did you mean `host`?"), "{said}");
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_shown() {
    let dir = tempdir("secret");
    let path = dir.join("token");
    fs::write(&path, "s3cr3t-token\r\n").unwrap();
    let keys = format!("auth = \"xoauth2\"\nusername = \"u\"\ntoken_file = {path:?}\nhost =");
    let settings = load(&with("host =", &keys)).unwrap();
    let MailAuth::XOAuth2(sign_in) = &settings.mail.auth else { panic!() };
    assert_eq!(sign_in.secret.expose(), "s3cr3t-token");
    assert!(!format!("{settings:?}").contains("s3cr3t"));
    // Whatever renews the token writes the file anew beside the running service.
    fs::write(&path, "newer\n").unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&sign_in.secret.current()), "newer");

    let both = with(
        "host =",
        &format!("{}password = \"p\"\npassword_file = {path:?}\nhost =", "auth = \"plain\"\nusername = \"u\"\n"),
    );
    assert!(said(&both).contains("mail.password (in settings): is given twice"));
    let gone = with("host =", "auth = \"plain\"\nusername = \"u\"\npassword_file = \"no/such/file\"\nhost =");
    assert!(said(&gone).contains("mail.password_file (in settings): names a file that cannot be read"));
}

/// The file the ledger is in.
fn file_of(settings: &Settings) -> String {
    match &settings.database {
        Database::Sqlite(file) => file.display().to_string(),
        Database::Postgres(_) => panic!("a file was expected"),
    }
}

#[test]
fn the_ledger_is_in_a_file_or_on_a_server_whose_password_is_never_shown() {
    let with = |url: &str| format!("{SMALL}\n[database]\nurl = \"{url}\"\n");
    let address = "postgres://wellbridge:hunter2@db.leeds.example/ledger";
    let settings = load(&with(address)).unwrap();
    assert!(matches!(&settings.database, Database::Postgres(url) if url.expose() == address));
    assert!(!format!("{settings:?}").contains("hunter2"));
    let nameless = said(&with("postgres://wellbridge:hunter2@db.leeds.example"));
    assert!(nameless.contains("must name a database") && !nameless.contains("hunter2"), "{nameless}");
    assert!(said(&with("mysql://db/ledger")).contains("\"postgres://"));
    let file = tempdir("database-url").join("url");
    fs::write(&file, format!("{address}\n")).unwrap();
    let settings = load(&format!("{SMALL}\n[database]\nurl_file = {file:?}\n")).unwrap();
    assert!(matches!(&settings.database, Database::Postgres(url) if url.expose() == address));
    assert_eq!(file_of(&load(&with("sqlite:/srv/ledger.sqlite")).unwrap()), "/srv/ledger.sqlite");
}

#[test]
fn values_that_make_no_sense_are_refused_with_an_example() {
    for (piece, other, words) in [
        ("host =", "answer_timeout = \"120\"\nhost =", "length of time with its unit"),
        ("host =", "answer_timeout = 120\nhost =", "in quotation marks"),
        ("host =", "answer_timeout = \"0 s\"\nhost =", "must be a second or more"),
        ("mode = \"propose\"", "mode = \"propose\"\nalert_again_after = \"5 s\"", "must be a minute or more"),
        ("host =", "port = 70000\nhost =", "0 to 65535"),
        ("host =", "max_connections = 0\nhost =", "must be 1 or more"),
        ("referrals@leeds.example>", "referrals@leeds.example, x@y.example>", "email address"),
        ("mode = \"propose\"", "mode = \"manual\"", "must be one of: propose, auto"),
        ("mode = \"propose\"", "mode = \"propose\"\nreply_by = 2", "must be smaller than `reply_by` (2)"),
        ("fhir = \"https", "fhir = \"http", "must begin with https://"),
        ("Organization/wellbridge", "not an id", "an Organization id"),
        ("path = \"directory.json\"", "url = \"https://directory.example\"", "has a `path`"),
        ("name = \"Burton Croft Surgery\"", "name = \" \\r\\n\"", "is empty"),
    ] {
        let said = said(&with(piece, other));
        assert!(said.contains(words), "{other}: {said}");
    }
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let said = said("[web]\npublic_url = https://wellbridge.example\n");
    assert!(said.contains("line 2"), "{said}");
    let missing = LoadFrom { file: ConfigFile::Named("no/such.toml".into()), env: BTreeMap::new() };
    let said = Settings::load(&missing).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("no/such.toml: cannot be read"), "{said}");
}

/// A fresh folder for one test under the build's own temporary folder.
fn tempdir(name: &str) -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("wellbridge-settings-{name}-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}
