//! One SMTP conversation (RFC 5321), as much of it as a catcher needs: EHLO, AUTH, MAIL, RCPT, DATA and the small ones.
//!
//! Strict about lines: a message ends with CRLF dot CRLF and nothing else, a bare line feed ends no line, a line over
//! the limit is refused. Replies are written in order, so pipelining (RFC 2920) needs nothing more.

use std::io;
use std::ops::ControlFlow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Door, MailFault, Shared};

/// The largest message, in bytes, as EHLO says.
const LARGEST_MESSAGE: usize = 5 * 1024 * 1024;
/// A text line with its CRLF (RFC 5321, section 4.5.3.1.6).
const LONGEST_LINE: usize = 1000;
/// A command line; longer than RFC 5321's 512, since AUTH (RFC 4954, section 4) may be long.
const LONGEST_COMMAND: usize = 12_288;
/// Recipients of one message (RFC 5321, section 4.5.3.1.8).
const MOST_RECIPIENTS: usize = 100;

struct Session<'a> {
    wire: BufReader<TcpStream>,
    shared: &'a Shared,
    greeted: bool,
    authenticated: bool,
    from: Option<String>,
    to: Vec<String>,
}

/// Whether the conversation goes on.
type Flow = ControlFlow<()>;
const ON: Flow = ControlFlow::Continue(());
const OVER: Flow = ControlFlow::Break(());

/// Serves one connection to its end.
pub(super) async fn serve(mut stream: TcpStream, shared: &Shared, door: Door) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if door == Door::Busy {
        return stream.write_all(b"421 4.3.2 mail-catcher.example too busy, come again\r\n").await;
    }
    let wire = BufReader::new(stream);
    let mut session =
        Session { wire, shared, greeted: false, authenticated: shared.login.is_none(), from: None, to: Vec::new() };
    session.say("220 mail-catcher.example ESMTP").await?;
    while let Some(line) = session.line(LONGEST_COMMAND).await? {
        if session.command(&line).await?.is_break() {
            break;
        }
    }
    Ok(())
}

impl Session<'_> {
    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.wire.write_all(format!("{reply}\r\n").as_bytes()).await
    }

    /// One line without its end; `None` when the other side is gone. A line that is too long ends the conversation.
    async fn line(&mut self, longest: usize) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.wire).take(longest as u64).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            self.say("500 5.5.2 Line too long").await?;
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn command(&mut self, line: &str) -> io::Result<Flow> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello().await?,
            "HELO" => {
                self.greeted = true;
                self.say("250 mail-catcher.example").await?;
            }
            "NOOP" => self.say("250 2.0.0 OK").await?,
            "RSET" => {
                self.forget();
                self.say("250 2.0.0 OK").await?;
            }
            "QUIT" => {
                self.say("221 2.0.0 Bye").await?;
                return Ok(OVER);
            }
            "VRFY" => self.say("252 2.5.0 Send it and see").await?,
            "AUTH" => return self.auth(rest).await,
            "MAIL" => self.mail(rest).await?,
            "RCPT" => return self.recipient(rest).await,
            "DATA" => return self.data().await,
            _ => self.say("500 5.5.2 I do not know that").await?,
        }
        Ok(ON)
    }

    async fn hello(&mut self) -> io::Result<()> {
        self.greeted = true;
        self.forget();
        let mut lines = vec!["mail-catcher.example".to_owned(), format!("SIZE {LARGEST_MESSAGE}")];
        lines.extend(["8BITMIME", "SMTPUTF8", "PIPELINING"].map(str::to_owned));
        if self.shared.login.is_some() {
            lines.push("AUTH PLAIN LOGIN".to_owned());
        }
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        let last = lines.len() - 1;
        for (n, text) in lines.iter().enumerate() {
            self.say(&format!("250{}{text}", if n == last { ' ' } else { '-' })).await?;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    /// RFC 4954, mechanisms PLAIN (RFC 4616) and LOGIN.
    async fn auth(&mut self, rest: &str) -> io::Result<Flow> {
        let Some((user, password)) = self.shared.login.clone() else {
            self.say("503 5.5.1 Nobody needs to sign in here").await?;
            return Ok(ON);
        };
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let said = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let answer = if initial.is_empty() { self.challenge("").await? } else { Some(initial.to_owned()) };
                let Some(answer) = answer else { return Ok(OVER) };
                let mut parts = decode(&answer).split('\0').map(str::to_owned).collect::<Vec<_>>().into_iter().skip(1);
                (parts.next(), parts.next())
            }
            "LOGIN" => {
                let Some(user) = self.challenge("VXNlcm5hbWU6").await? else { return Ok(OVER) };
                let Some(password) = self.challenge("UGFzc3dvcmQ6").await? else { return Ok(OVER) };
                (Some(decode(&user)), Some(decode(&password)))
            }
            _ => {
                self.say("504 5.5.4 PLAIN or LOGIN").await?;
                return Ok(ON);
            }
        };
        self.authenticated = said == (Some(user), Some(password));
        let reply = if self.authenticated { "235 2.7.0 Welcome" } else { "535 5.7.8 Wrong user or password" };
        self.say(reply).await?;
        Ok(ON)
    }

    async fn challenge(&mut self, text: &str) -> io::Result<Option<String>> {
        self.say(&format!("334 {text}")).await?;
        self.line(LONGEST_COMMAND).await
    }

    async fn mail(&mut self, rest: &str) -> io::Result<()> {
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return self.say("501 5.5.4 MAIL FROM:<address>").await;
        };
        let size = parameters.split(' ').find_map(|p| p.to_ascii_uppercase().strip_prefix("SIZE=")?.parse().ok());
        if !self.greeted {
            self.say("503 5.5.1 EHLO first").await
        } else if !self.authenticated {
            self.say("530 5.7.0 Sign in first").await
        } else if self.from.is_some() {
            self.say("503 5.5.1 One message at a time").await
        } else if size.is_some_and(|size: usize| size > LARGEST_MESSAGE) {
            self.say("552 5.3.4 Too large").await
        } else {
            self.from = Some(from);
            self.say("250 2.1.0 OK").await
        }
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<Flow> {
        let Some((to, _)) = path(rest, "TO:").filter(|(to, _)| !to.is_empty()) else {
            self.say("501 5.5.4 RCPT TO:<address>").await?;
            return Ok(ON);
        };
        if self.from.is_none() {
            self.say("503 5.5.1 MAIL first").await?;
            return Ok(ON);
        }
        if self.to.len() == MOST_RECIPIENTS {
            self.say("452 4.5.3 Too many recipients").await?;
            return Ok(ON);
        }
        if let Some(MailFault::AtRecipient(code)) = self.shared.strike(&to, |f| matches!(f, MailFault::AtRecipient(_)))
        {
            return self.refuse(code).await;
        }
        self.to.push(to);
        self.say("250 2.1.5 OK").await?;
        Ok(ON)
    }

    /// The reply of a fault; 421 ends the conversation (RFC 5321, section 3.8).
    async fn refuse(&mut self, code: u16) -> io::Result<Flow> {
        let text = match code {
            421 => "4.3.2 Closing down, come again",
            450..=459 => "4.2.0 The mailbox is busy, come again",
            550 => "5.1.1 There is no such mailbox",
            _ => "5.0.0 No",
        };
        self.say(&format!("{code} {text}")).await?;
        Ok(if code == 421 { OVER } else { ON })
    }

    async fn data(&mut self) -> io::Result<Flow> {
        let Some(from) = self.from.clone().filter(|_| !self.to.is_empty()) else {
            self.say("503 5.5.1 RCPT first").await?;
            return Ok(ON);
        };
        self.say("354 End with CRLF dot CRLF").await?;
        let Some(content) = self.content().await? else { return Ok(OVER) };
        let to = std::mem::take(&mut self.to);
        self.forget();
        let raw = match content {
            Ok(raw) => raw,
            Err(refusal) => {
                self.say(refusal).await?;
                return Ok(ON);
            }
        };
        let after_data = |fault: &MailFault| !matches!(fault, MailFault::AtRecipient(_));
        let fault = to.iter().find_map(|to| self.shared.strike(to, after_data));
        match fault {
            Some(MailFault::AfterData(code)) => return self.refuse(code).await,
            Some(MailFault::LostUnkept) => return Ok(OVER),
            Some(MailFault::LostKept) => {
                self.shared.keep(from, to, raw);
                return Ok(OVER);
            }
            Some(MailFault::Slow(how_long)) => {
                self.shared.keep(from, to, raw);
                tokio::time::sleep(how_long).await;
            }
            Some(MailFault::AtRecipient(_)) | None => self.shared.keep(from, to, raw),
        }
        self.say("250 2.0.0 Caught").await?;
        Ok(ON)
    }

    /// The message up to its final dot, dots unstuffed (section 4.5.2), or the reply that refuses it; it is read to the
    /// end either way. `None` when the other side is gone before that.
    async fn content(&mut self) -> io::Result<Option<Result<Vec<u8>, &'static str>>> {
        let mut raw = Vec::new();
        let mut line = Vec::new();
        let mut refusal = None;
        loop {
            let room = LONGEST_LINE.saturating_sub(line.len()).max(1);
            let read = (&mut self.wire).take(room as u64).read_until(b'\n', &mut line).await?;
            if read == 0 {
                return Ok(None);
            }
            let whole = line.ends_with(b"\r\n");
            if !whole && line.len() < LONGEST_LINE {
                // A bare line feed ends no line: what follows belongs to the same one.
                continue;
            }
            if line == b".\r\n" {
                return Ok(Some(refusal.map_or(Ok(raw), Err)));
            }
            if !whole {
                refusal.get_or_insert("500 5.5.2 A line is longer than 1000 octets");
                if !self.skip_line().await? {
                    return Ok(None);
                }
            } else if raw.len() + line.len() > LARGEST_MESSAGE {
                refusal.get_or_insert("552 5.3.4 Too large");
            }
            if refusal.is_none() {
                raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
            line.clear();
        }
    }

    /// Reads to the end of an overlong line without keeping it.
    async fn skip_line(&mut self) -> io::Result<bool> {
        let mut before = 0;
        loop {
            let Ok(byte) = self.wire.read_u8().await else { return Ok(false) };
            if before == b'\r' && byte == b'\n' {
                return Ok(true);
            }
            before = byte;
        }
    }
}

/// `FROM:<a@b.example> SIZE=1` → the address and the parameters behind it.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(String, &'a str)> {
    let head = rest.get(..keyword.len()).filter(|head| head.eq_ignore_ascii_case(keyword))?;
    let (address, parameters) = rest[head.len()..].trim_start().strip_prefix('<')?.split_once('>')?;
    Some((address.to_owned(), parameters.trim_start()))
}

fn decode(base64: &str) -> String {
    STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
