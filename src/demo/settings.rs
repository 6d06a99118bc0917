//! The demo's settings, as an operator would write them, joined over the same defaults and checked by the same rules.

use std::net::SocketAddr;
use std::path::Path;

use super::resources::{CHAPEL_ROW, MILL_POND, OUR_ORGANISATION};
use crate::settings::{ConfigFile, LoadFrom, Settings, SettingsError};

/// Where the demo's parts are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// The temporary folder.
    pub(super) folder: &'a Path,
    /// The directory's file in it.
    pub(super) feed: &'a Path,
    /// Where the pages are served.
    pub(super) listen: SocketAddr,
    /// The mail catcher.
    pub(super) mail: SocketAddr,
    /// FHIR base of the practice whose programme lets the machine send.
    pub(super) chapel_row: &'a str,
    /// FHIR base of the other one.
    pub(super) mill_pond: &'a str,
}

/// The first programme's duty address.
pub const DUTY_NORTH: &str = "duty@leeds-north.example";
/// The second programme's duty address.
pub const DUTY_SOUTH: &str = "duty@leeds-south.example";

/// Reads them.
pub(super) fn settings(places: &Places<'_>) -> Result<Settings, SettingsError> {
    // No environment: a demo must not pick up a real service's settings.
    Settings::load(&LoadFrom { file: ConfigFile::Text(text(places)), env: std::collections::BTreeMap::new() })
}

fn text(places: &Places<'_>) -> String {
    let quoted = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
    format!(
        r#"
data_dir = {folder}

[web]
listen = "{listen}"
public_url = "http://{listen}"

# One visitor plays everybody.
[limits]
link_per_minute = 1000
visitor_per_minute = 10000
codes_per_hour = 100
sign_in_tries = 1000
session_lasts = "60 days"

[mail]
host = "{mail_host}"
port = {mail_port}
tls = "none"
from = "Leeds Wellbeing (demo) <referrals@wellbridge.example>"

[programmes.{north}]
name = "Leeds North Wellbeing Coordinators"
phone = "0113 496 0100"
mode = "auto"
auto_needs = [
  "arts-creative", "befriending", "benefits-advice", "english-language", "gentle-exercise", "social-groups",
  "walking-nature",
]
signed_off_by = "Dr Pretend, clinical safety officer (demo)"
duty_address = "{DUTY_NORTH}"
second_duty_address = "lead@leeds-north.example"

[programmes.{south}]
name = "Leeds South Wellbeing Coordinators"
phone = "0113 496 0200"
mode = "propose"
duty_address = "{DUTY_SOUTH}"
second_duty_address = "lead@leeds-south.example"

[practices.{chapel_id}]
name = "{chapel_name}"
programme = "{north}"
fhir = "{chapel_fhir}"
organisation = "{OUR_ORGANISATION}"

[practices.{mill_id}]
name = "{mill_name}"
programme = "{south}"
fhir = "{mill_fhir}"
organisation = "{OUR_ORGANISATION}"

[directory.feeds.sample]
kind = "file"
path = {feed}
"#,
        folder = quoted(places.folder),
        feed = quoted(places.feed),
        listen = places.listen,
        mail_host = places.mail.ip(),
        mail_port = places.mail.port(),
        north = CHAPEL_ROW.programme,
        south = MILL_POND.programme,
        chapel_id = CHAPEL_ROW.id,
        chapel_name = CHAPEL_ROW.name,
        chapel_fhir = places.chapel_row,
        mill_id = MILL_POND.id,
        mill_name = MILL_POND.name,
        mill_fhir = places.mill_pond,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Mode;

    #[test]
    fn the_demo_has_one_programme_of_each_kind() {
        let address: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let places = Places {
            folder: Path::new("somewhere"),
            feed: Path::new("somewhere/feed.json"),
            listen: address,
            mail: address,
            chapel_row: "http://127.0.0.1:1/fhir",
            mill_pond: "http://127.0.0.1:2/fhir",
        };
        let settings = settings(&places).unwrap();
        let modes: Vec<bool> = settings.programmes.values().map(|p| matches!(p.mode, Mode::Auto { .. })).collect();
        assert_eq!(modes, [true, false]);
    }
}
