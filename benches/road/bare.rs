//! The bare loop: the same calls as the service made, so many for each referral, with no ledger, no queue and no thought.
//! What it takes is the ceiling that the service is measured against. It speaks SMTP itself, over kept connections that
//! do not wait for further bytes (`TCP_NODELAY`), as the service's own mailer does.

use std::collections::VecDeque;
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore};
use wellbridge::demo::practice::Calls;

/// Side by side: the service's own number of workers, and its cap on mail connections.
const AT_ONCE: usize = 16;
pub(crate) const MAIL_CONNECTIONS: usize = 4;

/// Makes the calls for these referrals (patient, request); gives the seconds that it took.
pub(crate) async fn run(base: &str, smtp: u16, referrals: &[(String, String)], wanted: &Calls) -> f64 {
    let (client, mailer) = (reqwest::Client::builder().no_proxy().build().unwrap(), Mailer::new(smtp));
    let many = referrals.len();
    let began = Instant::now();
    // Searches belong to the poll, the rest to each referral.
    let searches = wanted.get(&("GET".into(), "Task".into())).copied().unwrap_or_default().min(many / 50 + 2);
    for _ in 0..searches {
        let url = format!("{base}/ServiceRequest?_count=50&_include=ServiceRequest:subject");
        ask(client.get(url)).await;
    }
    let one = async |number: usize, (patient, request): &(String, String)| {
        let mut task = None;
        let mut left: Vec<(&str, &str, usize)> = Vec::new();
        for ((method, what), count) in wanted {
            left.push((method.as_str(), what.as_str(), count / many + usize::from(number < count % many)));
        }
        // A Task is made before it is changed.
        left.sort_by_key(|(method, ..)| *method == "PUT");
        for (method, what, times) in left {
            for _ in 0..times {
                call(&client, base, method, what, patient, request, &mut task).await;
            }
        }
        mailer.send(&offer_mail(number)).await;
    };
    stream::iter(referrals.iter().enumerate()).for_each_concurrent(AT_ONCE, |(n, ids)| one(n, ids)).await;
    began.elapsed().as_secs_f64()
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
    let written = |request: reqwest::RequestBuilder, value: &Value| {
        request.header("content-type", "application/fhir+json").body(value.to_string())
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

// ---- mail ---------------------------------------------------------------------------------------------------------

fn offer_mail(number: usize) -> String {
    let text = "Could you help somebody? Please say yes or no: http://127.0.0.1:8080/answer/…\r\n".repeat(16);
    format!(
        "From: referrals@leeds.example\r\nTo: referrals@befrienders.example\r\nSubject: Can you help somebody?\r\n\
         Message-ID: <{number}.bench@leeds.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=part\r\n\r\n\
         --part\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n\
         --part\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{text}</p>\r\n--part--\r\n.\r\n"
    )
}

/// As many connections as the service may open, each used again.
struct Mailer {
    port: u16,
    doors: Semaphore,
    idle: Mutex<VecDeque<BufReader<TcpStream>>>,
}

impl Mailer {
    fn new(port: u16) -> Self {
        Self { port, doors: Semaphore::new(MAIL_CONNECTIONS), idle: Mutex::default() }
    }

    async fn send(&self, mail: &str) {
        let _door = self.doors.acquire().await.unwrap();
        let kept = self.idle.lock().await.pop_front();
        let mut line = match kept {
            Some(line) => line,
            None => self.connect().await,
        };
        say(&mut line, "MAIL FROM:<referrals@leeds.example>\r\n", "250").await;
        say(&mut line, "RCPT TO:<referrals@befrienders.example>\r\n", "250").await;
        say(&mut line, "DATA\r\n", "354").await;
        say(&mut line, mail, "250").await;
        self.idle.lock().await.push_back(line);
    }

    async fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut line = BufReader::new(stream);
        say(&mut line, "", "220").await;
        say(&mut line, "EHLO bench.example\r\n", "250").await;
        line
    }
}

/// Says a line and hears the whole answer, which must begin so.
async fn say(line: &mut BufReader<TcpStream>, words: &str, wanted: &str) {
    line.get_mut().write_all(words.as_bytes()).await.unwrap();
    loop {
        let mut answer = String::new();
        line.read_line(&mut answer).await.unwrap();
        assert!(answer.starts_with(wanted), "the mail server said {answer:?}");
        if answer.as_bytes().get(3) == Some(&b' ') {
            return;
        }
    }
}
