//! An email address that is safe to put in an envelope and a header.
//!
//! Addresses reach us from settings, from a coordinator and from directories. One that reads as an address here holds
//! no line break, no second recipient and only ASCII (letters beyond it need SMTPUTF8, which many small charities'
//! servers lack; a domain may be written in its `xn--` form).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::plain::Line;

/// One address, `local@domain`, at most 254 characters (RFC 5321, 4.5.3.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

/// A text that is no usable address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `local@domain`, or more than one address.
    #[error("write one address, such as office@charity.example")]
    Shape,
    /// Characters that need SMTPUTF8.
    #[error("only plain letters, digits and signs can be used in an address")]
    Letters,
    /// Longer than mail can carry.
    #[error("an address has at most 254 characters")]
    Long,
}

impl EmailAddress {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for EmailAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_matches(' ');
        if text.len() > 254 {
            return Err(AddressError::Long);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>(),;:\\\"[]".contains(c)) {
            return Err(AddressError::Shape);
        }
        if !text.is_ascii() {
            return Err(AddressError::Letters);
        }
        let address: lettre::Address = text.parse().map_err(|_| AddressError::Shape)?;
        Ok(Self(address.to_string()))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

/// An address and the name shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// What a mail program shows.
    pub name: Option<Line>,
    /// Where mail goes.
    pub address: EmailAddress,
}

impl FromStr for Mailbox {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim_matches(' ');
        let Some((name, rest)) = text.split_once('<') else {
            return Ok(Self { name: None, address: text.parse()? });
        };
        let address = rest.strip_suffix('>').ok_or(AddressError::Shape)?.parse()?;
        let name = Line::new(name.trim().trim_matches('"'));
        Ok(Self { name: (!name.as_str().is_empty()).then_some(name), address })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => self.address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_cannot_carry_a_second_recipient_or_header() {
        for bad in [
            "a@b.example, c@d.example",
            "a@b.example\r\nBcc: c@d.example",
            "a@b.example\nRCPT TO:<c@d.example>",
            "<a@b.example>",
            "a b@c.example",
            "a@b@c.example",
            "a",
            "",
            "@b.example",
            "a@",
            "a@b.example\u{2028}",
            "ä@b.example",
        ] {
            assert!(bad.parse::<EmailAddress>().is_err(), "{bad:?}");
        }
        let long = format!("{}@b.example", "a".repeat(250));
        assert_eq!(long.parse::<EmailAddress>(), Err(AddressError::Long));
    }

    #[test]
    fn an_address_is_read_as_people_write_it() {
        let plain: Mailbox = " office@tai-chi.example ".parse().unwrap();
        assert_eq!((plain.address.as_str(), plain.address.domain()), ("office@tai-chi.example", "tai-chi.example"));
        let named: Mailbox = "\"Leeds, North\" <referrals@leeds.example>".parse().unwrap();
        assert_eq!(named.to_string(), "Leeds, North <referrals@leeds.example>");
        assert!("Leeds <a@b.example> <c@d.example>".parse::<Mailbox>().is_err());
    }
}
