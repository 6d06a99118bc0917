//! A small mail server on loopback whose answers are scripted; it remembers what it heard.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    partner::mailer::Mailer,
    settings::{Mail, MailAuth, MailTls},
};

/// What the server does instead of its usual answer, once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Says {
    Line(&'static str),
    HangUp,
    Nothing,
}

/// What the server heard.
#[derive(Default)]
pub(super) struct Heard {
    commands: Mutex<Vec<String>>,
    mails: Mutex<Vec<String>>,
    pub(super) script: Mutex<VecDeque<(&'static str, Says)>>,
    pub(super) connections: AtomicUsize,
    open: AtomicUsize,
    pub(super) most_open: AtomicUsize,
}

pub(super) struct Smtp {
    pub(super) port: u16,
    pub(super) heard: Arc<Heard>,
    /// Answers to mails are held back while this is false.
    pub(super) gate: watch::Sender<bool>,
}

impl Smtp {
    /// `script`: the first entry whose front a command has is used up for it; `""` is the greeting, `.` the end of a mail.
    pub(super) async fn start(script: &[(&'static str, Says)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Heard { script: Mutex::new(script.iter().copied().collect()), ..Heard::default() });
        let (gate, open) = watch::channel(true);
        let server = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&server), open.clone()));
            }
        });
        Self { port, heard, gate }
    }

    pub(super) fn settings(&self) -> Mail {
        Mail {
            host: "127.0.0.1".into(),
            port: self.port,
            tls: MailTls::None,
            tls_ca_file: None,
            auth: MailAuth::None,
            from: "Leeds Wellbeing <referrals@leeds.example>".parse().unwrap(),
            connect_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(5),
            max_connections: 2,
        }
    }

    pub(super) fn mailer(&self) -> Mailer {
        Mailer::new(&self.settings()).unwrap()
    }

    pub(super) fn commands(&self) -> Vec<String> {
        self.heard.commands.lock().unwrap().clone()
    }

    pub(super) fn mails(&self) -> Vec<String> {
        self.heard.mails.lock().unwrap().clone()
    }
}

impl Heard {
    fn answer(&self, command: &str, usual: &'static str) -> Says {
        let mut script = self.script.lock().unwrap();
        let place = script
            .iter()
            .position(|(front, _)| if front.is_empty() { command.is_empty() } else { command.starts_with(front) });
        place.and_then(|place| script.remove(place)).map_or(Says::Line(usual), |(_, says)| says)
    }
}

async fn serve(stream: TcpStream, heard: Arc<Heard>, gate: watch::Receiver<bool>) {
    heard.connections.fetch_add(1, Ordering::SeqCst);
    let open = heard.open.fetch_add(1, Ordering::SeqCst) + 1;
    heard.most_open.fetch_max(open, Ordering::SeqCst);
    let _ = talk(stream, &heard, gate).await;
    heard.open.fetch_sub(1, Ordering::SeqCst);
}

/// `None` when the connection is over.
async fn talk(stream: TcpStream, heard: &Heard, mut gate: watch::Receiver<bool>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = tokio::io::BufReader::new(read).lines();
    let (mut command, mut usual) = (String::new(), "220 mail.leeds.example ready");
    loop {
        match heard.answer(&command, usual) {
            Says::Line(line) => write.write_all(format!("{line}\r\n").as_bytes()).await.ok()?,
            Says::HangUp => return None,
            Says::Nothing => {
                lines.next_line().await.ok()??;
            }
        }
        if command == "DATA" && usual.starts_with("354") {
            let mut mail = String::new();
            loop {
                let line = lines.next_line().await.ok()??;
                if line == "." {
                    break;
                }
                mail += &(line + "\n");
            }
            heard.mails.lock().unwrap().push(mail);
            gate.wait_for(|open| *open).await.ok()?;
            (command, usual) = (".".into(), "250 2.0.0 Ok: queued as 4RkB");
            continue;
        }
        command = lines.next_line().await.ok()??;
        heard.commands.lock().unwrap().push(command.clone());
        usual = match command.split(' ').next().unwrap_or("") {
            "EHLO" => "250-mail.leeds.example\r\n250-AUTH PLAIN LOGIN XOAUTH2\r\n250 ENHANCEDSTATUSCODES",
            "AUTH" => "235 2.7.0 Authentication successful",
            "DATA" => "354 End data with <CR><LF>.<CR><LF>",
            "QUIT" => "221 2.0.0 Bye",
            _ => "250 2.1.0 Ok",
        };
        // A refused DATA is no DATA: what follows is a command again.
        if command == "DATA" && heard.script.lock().unwrap().iter().any(|(front, _)| *front == "DATA") {
            usual = "451 4.3.0 not now";
        }
    }
}
