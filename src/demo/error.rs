//! Why the demo cannot go on.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::desk::accounts::AccountError;
use crate::jobs::StartError;
use crate::service::assemble::AssembleError;
use crate::settings::SettingsError;
use crate::store::StoreError;

/// Why the demo cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The address for its pages is taken, or not ours.
    #[error(
        "cannot listen on {listen} ({why}): end the program that is there, or choose another port: demo --listen 127.0.0.1:8090"
    )]
    Listen {
        /// Which address.
        listen: SocketAddr,
        /// What the operating system said.
        why: std::io::Error,
    },
    /// A pretend server cannot listen on loopback.
    #[error("no free port on 127.0.0.1: {0}")]
    Loopback(std::io::Error),
    /// The temporary folder.
    #[error("cannot use the temporary folder {path}: {why}; set TMPDIR to another place")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        why: std::io::Error,
    },
    /// A fault in `config/demo/stories.toml`.
    #[error("the stories cannot be read: {0}")]
    Stories(#[from] toml::de::Error),
    /// A fault in the demo's settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The service could not be put together.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// Jobs could not be started or stopped.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The coordinator's account could not be made.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The directory was not read.
    #[error("the sample directory was not read: {0}")]
    NoDirectory(String),
    /// The service did not come to rest.
    #[error("the service still had work after half a minute: see the log (RUST_LOG=info)")]
    NeverSettled,
    /// A page could not be reached.
    #[error("a page could not be reached: {0}")]
    Http(reqwest::Error),
    /// A person of the play could not do their part.
    #[error("{0}")]
    Play(String),
}
