//! A bad line: a TCP proxy before any server, which can be told to behave as networks and broken servers do.
//!
//! It knows no protocol: it refuses, cuts, falls silent, drips, or says bytes of the test's own. A change of its
//! [`Line`] cuts every connection that is open, so that what is kept alive meets the new one too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// Between two bytes of a drip: no time-out of a test waits for more than a few of them.
const DRIP: Duration = Duration::from_millis(50);

/// How the line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything is handed on.
    Good,
    /// Nobody listens.
    Refused,
    /// The connection is reset after so many bytes of the server's.
    CutAfter(usize),
    /// What is asked is swallowed, and nothing is answered.
    Silent,
    /// The server's bytes come one by one.
    Dripping,
    /// These bytes are the answer to whatever is asked, and then the connection ends.
    Says(Arc<[u8]>),
    /// This answer's head, and then spaces, a hundred million of them.
    Floods(Arc<[u8]>),
}

impl Line {
    /// A whole HTTP answer with this status line (`429 Too Many Requests`), these headers and this body.
    pub(crate) fn answers(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}");
        Self::Says(head.into_bytes().into())
    }

    /// 100 MB in one answer of this media type.
    pub(crate) fn floods(media: &str) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {FLOOD}\r\n\r\n{{");
        Self::Floods(head.into_bytes().into())
    }
}

const FLOOD: usize = 100_000_000;

/// The proxy, listening until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    /// What the listening task has come to.
    now: watch::Receiver<Line>,
}

impl Proxy {
    /// Stands before the server at `there` (`127.0.0.1:4711`).
    pub(crate) fn before(there: SocketAddr) -> Self {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = listener.local_addr().unwrap();
        let (line, asked) = watch::channel(Line::Good);
        let (came_to, now) = watch::channel(Line::Good);
        tokio::spawn(stand(listener, there, asked, came_to));
        Self { address, line, now }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The same address in front of the proxy: `http://127.0.0.1:4711/fhir` with its own port.
    pub(crate) fn base_for(&self, base: &str) -> String {
        let mut url = url::Url::parse(base).unwrap();
        url.set_port(Some(self.port())).unwrap();
        url.to_string().trim_end_matches('/').to_owned()
    }

    /// The line is so from now on, for open connections too.
    pub(crate) async fn becomes(&self, line: Line) {
        self.line.send_replace(line.clone());
        self.now.clone().wait_for(|now| *now == line).await.unwrap();
    }
}

/// With `SO_REUSEADDR`, so that the port can be taken again at once.
fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

fn listen(address: SocketAddr) -> TcpListener {
    bind(address).listen(64).unwrap()
}

async fn stand(
    listener: TcpListener,
    there: SocketAddr,
    mut asked: watch::Receiver<Line>,
    came_to: watch::Sender<Line>,
) {
    let here = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        let line = asked.borrow_and_update().clone();
        // Bound and not listening: the port stays ours, and whoever connects is refused.
        let mut held = None;
        if line == Line::Refused {
            drop(listener.take());
            held = Some(bind(here));
        } else if listener.is_none() {
            listener = Some(listen(here));
        }
        came_to.send_replace(line.clone());
        let seen = asked.clone();
        let changed = match &listener {
            Some(listener) => tokio::select! {
                changed = asked.changed() => changed,
                () = take_all(listener, there, &seen, &line) => Ok(()),
            },
            None => asked.changed().await,
        };
        drop(held);
        if changed.is_err() {
            return;
        }
    }
}

async fn take_all(listener: &TcpListener, there: SocketAddr, asked: &watch::Receiver<Line>, line: &Line) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let (mut asked, line) = (asked.clone(), line.clone());
        tokio::spawn(async move {
            tokio::select! {
                // Dropped with what was not read: a reset, as when a cable is pulled.
                _ = asked.changed() => {}
                _ = serve(client, there, line) => {}
            }
        });
    }
}

async fn serve(mut client: TcpStream, there: SocketAddr, line: Line) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    match line {
        Line::Refused => Ok(()),
        Line::Silent => swallow(&mut client).await,
        Line::Says(bytes) => {
            let _ = client.read(&mut vec![0; 16 * 1024]).await?;
            client.write_all(&bytes).await?;
            client.shutdown().await?;
            swallow(&mut client).await
        }
        Line::Floods(head) => {
            let _ = client.read(&mut vec![0; 16 * 1024]).await?;
            client.write_all(&head).await?;
            let spaces = vec![b' '; 1 << 20];
            for _ in 0..FLOOD >> 20 {
                client.write_all(&spaces).await?;
            }
            Ok(())
        }
        Line::Good => hand_on(client, there, usize::MAX, None).await,
        Line::CutAfter(bytes) => hand_on(client, there, bytes, None).await,
        Line::Dripping => hand_on(client, there, usize::MAX, Some(DRIP)).await,
    }
}

async fn swallow(client: &mut TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    while client.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Both ways until one side ends; the server's side at most so many bytes, which then ends in a reset.
async fn hand_on(
    mut client: TcpStream,
    there: SocketAddr,
    mut left: usize,
    drip: Option<Duration>,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(there).await?;
    server.set_nodelay(true)?;
    let (mut from_client, mut from_server) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => match read? {
                0 => return Ok(()),
                n => server.write_all(&from_client[..n]).await?,
            },
            read = server.read(&mut from_server) => match read? {
                0 => return Ok(()),
                n => {
                    let n = n.min(left);
                    left -= n;
                    match drip {
                        None => client.write_all(&from_server[..n]).await?,
                        Some(wait) => for byte in &from_server[..n] {
                            client.write_all(&[*byte]).await?;
                            tokio::time::sleep(wait).await;
                        },
                    }
                    if left == 0 {
                        return client.set_zero_linger();
                    }
                }
            },
        }
    }
}
