//! The mailer against a mail server whose certificate it may or may not trust.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    sync::Arc,
    thread,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use super::{outgoing, server::Smtp};
use crate::{
    effect::EffectError,
    partner::mailer::Mailer,
    settings::{Mail, MailTls},
};

/// `testdata/` was made with openssl for these tests: an authority that signed one certificate for `localhost`, both good
/// for a hundred years; the authority's own key was thrown away.
const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/partner/mailer/testdata/ca.pem");

/// A mail server that speaks STARTTLS with the test authority's certificate for `localhost`; it takes one mail.
fn starttls_server(connections: usize) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../testdata/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../testdata/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming().take(connections) {
            let _ = starttls_talk(stream.unwrap(), Arc::clone(&config));
        }
    });
    port
}

fn starttls_talk(mut plain: std::net::TcpStream, config: Arc<rustls::ServerConfig>) -> std::io::Result<()> {
    plain.write_all(b"220 ready\r\n")?;
    let mut line = String::new();
    let mut reader = BufReader::new(plain.try_clone()?);
    reader.read_line(&mut line)?;
    plain.write_all(b"250-mail\r\n250 STARTTLS\r\n")?;
    reader.read_line(&mut line)?;
    plain.write_all(b"220 go ahead\r\n")?;
    let session = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(rustls::StreamOwned::new(session, plain));
    let mut in_mail = false;
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.trim_end() {
            "." => {
                in_mail = false;
                b"250 2.0.0 taken\r\n"
            }
            _ if in_mail => continue,
            "DATA" => {
                in_mail = true;
                b"354 go\r\n"
            }
            _ => b"250 mail\r\n",
        };
        stream.get_mut().write_all(answer)?;
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_or_another_name_needs_a_person() {
    let base = Smtp::start(&[]).await.settings();
    for (host, authority) in [("localhost", None), ("127.0.0.1", Some(AUTHORITY.into()))] {
        let port = starttls_server(1);
        let settings = Mail { host: host.into(), port, tls: MailTls::Required, tls_ca_file: authority, ..base.clone() };
        let error = Mailer::new(&settings).unwrap().send(&outgoing()).await.unwrap_err();
        let certificate = matches!(&error.effect, EffectError::NeedsPerson { why } if why.contains("certificate"));
        assert!(certificate, "{host}: {error}");
    }
}

#[tokio::test]
async fn an_own_authority_is_trusted_where_it_is_named() {
    let port = starttls_server(2);
    let base = Smtp::start(&[]).await.settings();
    let settings =
        Mail { host: "localhost".into(), port, tls: MailTls::Required, tls_ca_file: Some(AUTHORITY.into()), ..base };
    let mailer = Mailer::new(&settings).unwrap();
    assert_eq!(mailer.send(&outgoing()).await.unwrap().code, 250);
    let gone = Mail { tls_ca_file: Some("no/such.pem".into()), ..settings.clone() };
    assert!(Mailer::new(&gone).unwrap_err().to_string().contains("mail.tls_ca_file"));
}
