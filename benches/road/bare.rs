//! The bare loop: the same calls as the service made, so many for each referral, with no ledger, no queue and no thought.
//! What it takes is the floor that the service is measured against.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use lettre::message::{Message, MultiPart};
use lettre::transport::smtp::{AsyncSmtpTransport, PoolConfig};
use lettre::{AsyncTransport as _, Tokio1Executor};
use serde_json::{Value, json};
use wellbridge::demo::mail_catcher::MailCatcher;
use wellbridge::demo::practice::PretendPractice;

use super::{AT_ONCE, Calls, MAIL_CONNECTIONS, Taken, calls, organisation, refer};

/// The same calls, so many for each referral, with no ledger, no queue and no thought.
pub(crate) async fn by_a_bare_loop(practice: PretendPractice, mail: MailCatcher, many: usize, wanted: &Calls) -> Taken {
    practice.put(organisation());
    let referrals: Vec<(String, String)> = (0..many).map(|number| refer(&practice, number)).collect();
    let client = reqwest::Client::new();
    let pool = PoolConfig::new().max_size(MAIL_CONNECTIONS);
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(mail.address().port())
        .pool_config(pool)
        .build();
    let doors = tokio::sync::Semaphore::new(MAIL_CONNECTIONS as usize);
    let began = Instant::now();
    // Searches belong to the poll, the rest to each referral.
    let base = practice.base_url();
    let searches = wanted.get(&("GET".into(), "Task".into())).copied().unwrap_or_default().min(many / 50 + 2);
    for _ in 0..searches {
        let url = format!("{base}/ServiceRequest?_count=50&_include=ServiceRequest:subject");
        ask(client.get(url)).await;
    }
    let one = async |number: usize, (patient, request): &(String, String)| {
        let mut task = None;
        let mut left: Vec<(String, String, usize)> = Vec::new();
        for ((method, what), count) in wanted {
            let own = count / many + usize::from(number < count % many);
            left.push((method.clone(), what.clone(), own));
        }
        // A Task is made before it is changed.
        left.sort_by_key(|(method, ..)| method == "PUT");
        for (method, what, times) in left {
            for _ in 0..times {
                call(&client, base, &method, &what, patient, request, &mut task).await;
            }
        }
        let _door = doors.acquire().await.unwrap();
        transport.send(offer_mail(number)).await.unwrap();
    };
    stream::iter(referrals.iter().enumerate()).for_each_concurrent(AT_ONCE, |(n, ids)| one(n, ids)).await;
    Taken { seconds: began.elapsed().as_secs_f64(), calls: calls(&practice), mails: mail.mails().len() }
}

async fn call(
    client: &reqwest::Client,
    base: &str,
    method: &str,
    what: &str,
    patient: &str,
    request: &str,
    task: &mut Option<String>,
) {
    let about = json!({ "reference": format!("ServiceRequest/{request}") });
    let body = |value: &Value| value.to_string();
    let written = |request: reqwest::RequestBuilder, value: &Value| {
        request.header("content-type", "application/fhir+json").body(body(value))
    };
    let new_task = json!({ "resourceType": "Task", "status": "accepted", "intent": "order", "focus": about,
        "for": { "reference": format!("Patient/{patient}") } });
    match (method, what) {
        ("GET", "ServiceRequest") => drop(ask(client.get(format!("{base}/ServiceRequest/{request}"))).await),
        ("GET", "Patient") => drop(ask(client.get(format!("{base}/Patient/{patient}"))).await),
        ("GET", "Task") if task.is_some() => {
            drop(ask(client.get(format!("{base}/Task/{}", task.as_deref().unwrap_or_default()))).await);
        }
        ("GET", kind) => drop(ask(client.get(format!("{base}/{kind}?_count=1"))).await),
        ("POST", search) if search.ends_with("/_search") => {
            let form = format!("_id={patient}");
            let post = client.post(format!("{base}/{search}"));
            drop(ask(post.header("content-type", "application/x-www-form-urlencoded").body(form)).await);
        }
        ("POST", "Task") => {
            let post =
                client.post(format!("{base}/Task")).header("if-none-exist", format!("identifier=bench|{request}"));
            let made = ask(written(post, &new_task)).await;
            *task = made["id"].as_str().map(str::to_owned);
        }
        ("PUT", _) => {
            let id = task.clone().unwrap_or_default();
            let mut changed = new_task.clone();
            changed["id"] = id.clone().into();
            drop(ask(written(client.put(format!("{base}/Task/{id}")), &changed)).await);
        }
        _ => drop(ask(written(client.post(base), &filing(patient, request))).await),
    }
}

/// One transaction with as much in it as the service files when support has started.
fn filing(patient: &str, request: &str) -> Value {
    let resource = |kind: &str, part: &str| {
        json!({
            "resource": {
                "resourceType": kind,
                "status": if kind == "DocumentReference" { "current" } else { "final" },
                "identifier": [{ "system": "bench", "value": format!("{request}.{part}") }],
                "code": { "text": part },
                "subject": { "reference": format!("Patient/{patient}") },
                "content": [{ "attachment": { "contentType": "text/plain", "data": "QSBtZXNzYWdlLg==" } }],
            },
            "request": { "method": "POST", "url": kind, "ifNoneExist": format!("identifier=bench|{request}.{part}") },
        })
    };
    let entry =
        [resource("DocumentReference", "message"), resource("Procedure", "referred"), resource("Observation", "other")];
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entry })
}

async fn ask(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
}

fn offer_mail(number: usize) -> Message {
    let text = "Could you help somebody? Please say yes or no: http://127.0.0.1:8080/answer/…\n".repeat(8);
    Message::builder()
        .from("referrals@leeds.example".parse().unwrap())
        .to("referrals@befrienders.example".parse().unwrap())
        .message_id(Some(format!("<{number}.bench@leeds.example>")))
        .subject("Can you help somebody?")
        .multipart(MultiPart::alternative_plain_html(text.clone(), format!("<p>{text}</p>")))
        .unwrap()
}
