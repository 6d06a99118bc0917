//! Chance, passed in: ids and tokens are drawn here and nowhere else (`clippy.toml`).

use aws_lc_rs::rand;
use uuid::Uuid;

/// A new UUID v7: sorts by when it was made.
pub fn uuid() -> Uuid {
    Uuid::now_v7()
}

/// 32 bytes nobody can guess.
pub fn secret_bytes() -> [u8; 32] {
    let mut bytes = [0u8; 32];
    // The operating system's generator does not fail once a process has started; were it to, no token may be made.
    if rand::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes
}
