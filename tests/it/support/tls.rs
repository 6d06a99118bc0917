//! A server of which nobody gets to hear more than its certificate, whose authority this machine does not know.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The port on which `localhost` shows the certificate that the mailer's tests use; as long as the process lives.
pub(crate) fn shows_a_bad_certificate() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pem = include_bytes!("../../../src/partner/mailer/testdata/server.pem");
    let key = include_bytes!("../../../src/partner/mailer/testdata/server.key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(pem).unwrap()],
            PrivateKeyDer::from_pem_slice(key).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || shake_hands(client, config));
        }
    });
    port
}

/// A handshake with whoever reads on; a client that does not trust us leaves in the middle of it.
fn shake_hands(client: TcpStream, config: Arc<ServerConfig>) {
    let session = ServerConnection::new(config).unwrap();
    let trusted = StreamOwned::new(session, client).read(&mut [0; 1024]);
    assert!(trusted.is_err(), "somebody trusts an authority that nobody knows");
}
