//! Coordinators' accounts: argon2id hashes, and checking a password in the same time whether or not the account exists.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, PasswordHash};
use jiff::Timestamp;

use crate::referral::{ProgrammeId, UserId};
use crate::settings::Settings;
use crate::store::{Account, Store, StoreError};

/// The shortest password that is taken: length is what helps (NCSC).
pub const PASSWORD_MIN: usize = 12;
/// Longer ones only cost time.
pub const PASSWORD_MAX: usize = 200;

/// What nobody's password hashes to, with the parameters that are used now: unknown accounts take as long as known ones.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$d2VsbGJyaWRnZS1ub2JvZHk$kTnGbbfKmEbUbzEYzDBNH1eG9VDHA8p8mPuYd6R9HRM";

/// Why an account cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Not a name one can sign in with.
    #[error(
        "a user name is 2 to 60 lower-case letters, digits, dots, hyphens or @, as in amira.k or amira@leeds.example"
    )]
    Name,
    /// Too short or too long.
    #[error("a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters; three random words make a good one")]
    Password,
    /// No such programme in the settings.
    #[error("there is no programme `{0}` in the settings")]
    Programme(ProgrammeId),
    /// An account without a programme sees nothing.
    #[error("name at least one programme")]
    NoProgramme,
    /// The hash could not be made.
    #[error("the password could not be hashed")]
    Hash,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an account, or changes the one with this name (its sessions end).
pub async fn add(
    store: &Store,
    settings: &Settings,
    user: &str,
    name: &str,
    password: &str,
    programmes: Vec<ProgrammeId>,
    now: Timestamp,
) -> Result<(), AccountError> {
    let user = user.trim();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '@');
    if !(2..=60).contains(&user.len()) || !user.chars().all(plain) {
        return Err(AccountError::Name);
    }
    if programmes.is_empty() {
        return Err(AccountError::NoProgramme);
    }
    if let Some(unknown) = programmes.iter().find(|p| !settings.programmes.contains_key(p)) {
        return Err(AccountError::Programme(unknown.clone()));
    }
    let name = if name.trim().is_empty() { user } else { name.trim() };
    let account = Account { id: UserId::new(user), name: name.to_owned(), password: hash(password)?, programmes };
    let mut tx = store.begin().await?;
    tx.put_account(&account, now).await?;
    Ok(tx.commit().await?)
}

/// The argon2id hash of a password, as a PHC string.
pub fn hash(password: &str) -> Result<String, AccountError> {
    if !(PASSWORD_MIN..=PASSWORD_MAX).contains(&password.chars().count()) {
        return Err(AccountError::Password);
    }
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| AccountError::Hash)?;
    Ok(hash.to_string())
}

/// Whether a password is an account's. Takes tens of milliseconds by design, for an unknown account too; call it where
/// blocking is allowed.
pub fn verify(account: Option<&Account>, password: &str) -> bool {
    let hash = account.map_or(NOBODY, |a| a.password.as_str());
    let cut: String = password.chars().take(PASSWORD_MAX).collect();
    let right = Argon2::default().verify_password(cut.as_bytes(), hash).is_ok();
    right && account.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_opens_its_own_account_and_no_other() {
        let password = hash("three random words").unwrap();
        assert!(password.starts_with("$argon2id$"), "{password}");
        let amira = Account { id: "amira".into(), name: "Amira".into(), password, programmes: vec!["leeds".into()] };
        assert!(verify(Some(&amira), "three random words"));
        assert!(!verify(Some(&amira), "three random word"));
        assert!(!verify(None, "three random words"));
    }

    #[test]
    fn an_unknown_account_costs_as_much_as_a_known_one() {
        // The hash that stands in must be one that is really computed, with the parameters of new hashes.
        let stand_in = PasswordHash::new(NOBODY).unwrap();
        let fresh = PasswordHash::new(&hash("three random words").unwrap()).unwrap();
        assert_eq!(stand_in.params.to_string(), fresh.params.to_string());
        assert_eq!(stand_in.algorithm, fresh.algorithm);
    }

    #[test]
    fn a_short_password_is_refused() {
        assert!(matches!(hash("hunter2"), Err(AccountError::Password)));
    }
}
