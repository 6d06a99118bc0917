//! What TLS had to say, found inside whatever error a client made of it.
//!
//! A certificate that cannot be trusted does not get better by waiting: every edge tells a person of it at once.

use std::error::Error;
use std::io;

/// The TLS library's own error behind this one.
pub(crate) fn error_behind<'e>(why: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(why);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        // An I/O error counts what it holds as itself: its source is already one further.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// Whether the other side showed a certificate that cannot be trusted, or none.
pub(crate) fn is_bad_certificate(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_certificate_is_found_however_deep_it_lies() {
        let bad = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let deep = io::Error::other(io::Error::other(bad));
        assert!(error_behind(&deep).is_some_and(is_bad_certificate));
        let other = io::Error::other(rustls::Error::HandshakeNotComplete);
        assert!(error_behind(&other).is_some_and(|error| !is_bad_certificate(error)));
        assert!(error_behind(&io::Error::other("a cable")).is_none());
    }
}
