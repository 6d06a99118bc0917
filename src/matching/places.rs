//! Where postcodes are: mean positions of Great Britain's postcode sectors and outcodes, for straight-line distances.
//!
//! Good to about a kilometre, which is enough to say "near", "across town" and "another town". Data and its notices:
//! `mappings/places/`.

use std::{collections::HashMap, io::Read as _};

use flate2::read::GzDecoder;

/// Degrees WGS84, (latitude, longitude).
pub type Position = (f64, f64);

static SECTORS: &[u8] = include_bytes!("../../mappings/places/sectors.csv.gz");
static OUTCODES: &[u8] = include_bytes!("../../mappings/places/outcodes.csv.gz");

/// Positions of postcode sectors and outcodes.
#[derive(Clone, Debug, Default)]
pub struct Places {
    positions: HashMap<Box<str>, (f32, f32)>,
}

/// A postcode taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postcode {
    /// `LS11`.
    pub outcode: String,
    /// `LS11 5`, where the postcode is whole.
    pub sector: Option<String>,
}

impl Postcode {
    /// Reads `LS11 5BX`, `ls115bx` or an outcode alone; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let code: String = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect();
        if !code.is_ascii() || !(2..=7).contains(&code.len()) {
            return None;
        }
        let whole = code.len() >= 5
            && code[code.len() - 3..].starts_with(|c: char| c.is_ascii_digit())
            && code[code.len() - 2..].chars().all(|c| c.is_ascii_alphabetic());
        let (outcode, inward) = if whole { code.split_at(code.len() - 3) } else { (code.as_str(), "") };
        let letters = outcode.chars().take_while(char::is_ascii_alphabetic).count();
        let digits = outcode[letters..].starts_with(|c: char| c.is_ascii_digit());
        if !(1..=2).contains(&letters) || !digits || outcode.len() > 4 {
            return None;
        }
        let sector = inward.chars().next().map(|digit| format!("{outcode} {digit}"));
        Some(Self { outcode: outcode.to_owned(), sector })
    }

    /// The letters: `LS`.
    pub fn area(&self) -> &str {
        let letters = self.outcode.chars().take_while(char::is_ascii_alphabetic).count();
        &self.outcode[..letters]
    }
}

impl Places {
    /// The positions that come with Wellbridge.
    pub fn great_britain() -> Self {
        let mut positions = HashMap::with_capacity(16_000);
        for packed in [SECTORS, OUTCODES] {
            let mut lines = String::new();
            // The data is compiled in and tested; should it not unpack, places are unknown, which is safe.
            if GzDecoder::new(packed).read_to_string(&mut lines).is_err() {
                continue;
            }
            for line in lines.lines() {
                let mut parts = line.split(',');
                if let (Some(name), Some(Ok(lat)), Some(Ok(lon))) =
                    (parts.next(), parts.next().map(str::parse), parts.next().map(str::parse))
                {
                    positions.insert(name.into(), (lat, lon));
                }
            }
        }
        Self { positions }
    }

    /// Where a postcode is: its sector's middle, else its outcode's.
    pub fn position(&self, postcode: &Postcode) -> Option<Position> {
        let sector = postcode.sector.as_deref().and_then(|s| self.positions.get(s));
        let &(lat, lon) = sector.or_else(|| self.positions.get(postcode.outcode.as_str()))?;
        Some((f64::from(lat), f64::from(lon)))
    }
}

/// Straight-line kilometres between two positions (haversine).
pub fn kilometres(a: Position, b: Position) -> f64 {
    let (lat_a, lat_b) = (a.0.to_radians(), b.0.to_radians());
    let (half_lat, half_lon) = ((lat_b - lat_a) / 2.0, (b.1 - a.1).to_radians() / 2.0);
    let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
    2.0 * 6371.0 * h.sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postcodes_are_read_as_people_write_them() {
        for (text, outcode, sector) in [
            ("LS11 5BX", "LS11", Some("LS11 5")),
            ("ls115bx", "LS11", Some("LS11 5")),
            ("M1 1AE", "M1", Some("M1 1")),
            ("HP5", "HP5", None),
        ] {
            let code = Postcode::parse(text).unwrap();
            assert_eq!((code.outcode.as_str(), code.sector.as_deref()), (outcode, sector), "{text}");
        }
        for text in ["", "Leeds", "5 LS", "ZZ99 3VZX9"] {
            assert_eq!(Postcode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn leeds_is_near_itself_and_far_from_york() {
        let places = Places::great_britain();
        let at = |code: &str| places.position(&Postcode::parse(code).unwrap()).unwrap();
        assert!(kilometres(at("LS1 6LS"), at("LS2 7DW")) < 3.0);
        assert!((30.0..45.0).contains(&kilometres(at("LS1"), at("YO24 4LQ"))));
    }
}
