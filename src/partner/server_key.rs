//! The server key on disk: what partners' links and codes are made from.
//!
//! Written once, readable by the service's own account only. An operator with several replicas names one by
//! `web.link_key_file` instead. Whoever loses the key makes every link that was mailed useless, so it belongs in the
//! backup with the ledger.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use super::token::ServerKey;
use crate::{random, settings::Web};

const FILE: &str = "link-key";

impl ServerKey {
    /// Whether a data directory keeps one already.
    pub fn is_in(data_dir: &Path) -> bool {
        data_dir.join(FILE).exists()
    }

    /// The key of the settings; else the one kept in `data_dir`, which is made at the first start. The data directory
    /// is locked by then. A key file that is not whole is an error, never replaced: links may have been made from it.
    pub fn open(web: &Web, data_dir: &Path) -> io::Result<Self> {
        if let Some(letters) = &web.link_key {
            return Ok(Self::from_letters(letters.expose()));
        }
        let path = data_dir.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => {
                let whole: [u8; 32] = bytes.try_into().map_err(|_| {
                    let what = format!("{} is not whole: restore it from the backup", path.display());
                    io::Error::new(io::ErrorKind::InvalidData, what)
                })?;
                Ok(Self::from_bytes(&whole))
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let bytes = random::secret_bytes();
                write(&path, &bytes)?;
                Ok(Self::from_bytes(&bytes))
            }
            Err(why) => Err(why),
        }
    }
}

/// Written beside and moved into place: a crash leaves no half a key.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        partner::token::{AnswerToken, Purpose},
        referral::OfferId,
        settings::Secret,
    };

    fn web(link_key: Option<Secret>) -> Web {
        Web {
            listen: ([127, 0, 0, 1], 0).into(),
            public_url: "https://wellbridge.example".parse().unwrap(),
            trusted_proxies: Vec::new(),
            link_key,
        }
    }

    fn link(key: &ServerKey) -> String {
        AnswerToken::derive(key, OfferId::from_uuid(uuid::Uuid::from_u128(1)), Purpose::Answer).text()
    }

    #[test]
    fn links_stay_the_same_after_a_restart() {
        let dir = std::env::temp_dir().join(format!("wellbridge-link-key-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let first = link(&ServerKey::open(&web(None), &dir).unwrap());
        assert_eq!(first, link(&ServerKey::open(&web(None), &dir).unwrap()));
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(dir.join(FILE)).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        let own = web(Some(Secret::from_text("thirty-two letters drawn at random")));
        assert_ne!(first, link(&ServerKey::open(&own, &dir).unwrap()));
        fs::write(dir.join(FILE), b"half").unwrap();
        assert!(ServerKey::open(&web(None), &dir).unwrap_err().to_string().contains("not whole"));
    }
}
