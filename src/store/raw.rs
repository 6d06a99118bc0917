//! FHIR as it came, compressed, each text once: the evidence of what a practice said, and when.

use jiff::Timestamp;

use super::rows::ms;
use super::sql::query;
use super::{Store, StoreError, Tx};
use crate::practice::RawFhir;
use crate::referral::{ProgrammeId, ReferralId};

/// What is done beside others when texts are kept, and alone when those that nobody refers to are erased.
pub(super) const TEXTS: &str = "raw texts";

const PUT_RAW_BODY: &str = "insert into raw_body (hash, bytes) values ($1, $2) on conflict do nothing";
const PUT_RAW_INPUT: &str = "insert into raw_input (referral_id, programme_id, version, position, hash, received)
    values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
const RAW: &str = "select b.bytes from raw_input i join raw_body b on b.hash = i.hash where i.referral_id = $1
    order by i.received desc, i.position";

impl Tx {
    pub(super) async fn put_raw(
        &mut self,
        id: ReferralId,
        programme: &ProgrammeId,
        version: &str,
        raw: &RawFhir,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let kept: Vec<(String, Vec<u8>)> =
            raw.documents.iter().map(|text| compressed(text)).collect::<Result<_, _>>()?;
        // What the request refers to may change while the request keeps its version: each whole input is kept.
        let (digest, _) = compressed(&kept.iter().map(|(hash, _)| hash.as_str()).collect::<String>())?;
        self.beside_others(TEXTS).await?;
        for (position, (hash, bytes)) in kept.into_iter().enumerate() {
            query(PUT_RAW_BODY).bind(&hash).bind(bytes).execute(&mut self.inner).await?;
            query(PUT_RAW_INPUT)
                .bind(id.to_string())
                .bind(programme.as_str())
                .bind(format!("{version} {}", &digest[..12]))
                .bind(i64::try_from(position).unwrap_or(i64::MAX))
                .bind(hash)
                .bind(ms(now))
                .execute(&mut self.inner)
                .await?;
        }
        Ok(())
    }
}

impl Store {
    /// The FHIR it was read from, newest version first.
    pub async fn raw(&self, id: ReferralId) -> Result<Vec<String>, StoreError> {
        let all: Vec<Vec<u8>> = query(RAW).bind(id.to_string()).scalars(self.pool()).await?;
        all.iter().map(|bytes| decompressed(bytes)).collect()
    }
}

/// SHA-256 of the text (hex), and the text compressed.
fn compressed(text: &str) -> Result<(String, Vec<u8>), StoreError> {
    use std::io::Write as _;
    let mut zip = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    let bytes = zip.write_all(text.as_bytes()).and_then(|()| zip.finish());
    let bytes =
        bytes.map_err(|e| StoreError::Unreadable { what: "raw FHIR", id: String::new(), why: e.to_string() })?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let hash = digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write as _;
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok((hash, bytes))
}

fn decompressed(bytes: &[u8]) -> Result<String, StoreError> {
    use std::io::Read as _;
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(bytes).read_to_string(&mut text).map_err(|e| StoreError::Unreadable {
        what: "raw FHIR",
        id: String::new(),
        why: e.to_string(),
    })?;
    Ok(text)
}
