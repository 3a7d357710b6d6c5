//! What a constructor is given: the user's options and what the host tells about itself.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use crate::secrets;
use crate::{Error, Result};

/// Options that Plakar passes along to connectors that never asked for them.
const OF_THE_HOST: [&str; 3] = ["location", "passphrase", "passphrase_cmd"];

/// What the host tells a constructor about itself and about the user's wishes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HostOptions {
    /// The machine that the backup is made on.
    pub hostname: String,
    /// Its operating system, as Go names it: `linux`, `darwin`.
    pub os: String,
    /// Its architecture, as Go names it: `amd64`, `arm64`.
    pub arch: String,
    /// The working directory of the user's command.
    pub cwd: String,
    /// How many workers the host has.
    pub max_concurrency: u32,
    /// Patterns in gitignore's syntax, anchored at `/`, of what the user does not want in the backup.
    pub excludes: Vec<String>,
    /// The user wants no extended attributes.
    pub no_xattr: bool,
}

/// The configuration of one connector instance.
#[derive(Clone)]
pub struct Config {
    protocol: String,
    values: BTreeMap<String, String>,
    host: HostOptions,
}

impl Config {
    /// A configuration as the host would give it, for tests of constructors. Checks that there is a location, and takes note of what
    /// is secret.
    pub fn new(
        protocol: impl Into<String>,
        values: impl IntoIterator<Item = (String, String)>,
        host: HostOptions,
    ) -> Result<Self> {
        let (protocol, values) = (protocol.into(), BTreeMap::from_iter(values));
        for (name, value) in &values {
            if secrets::is_secret_name(name) {
                secrets::remember(value);
            }
        }
        let location = values.get("location").map(String::as_str).unwrap_or_default();
        if location.is_empty() {
            return Err(Error::invalid(format!(
                "option \"location\" is {}; give a location such as {protocol}:///path",
                if values.contains_key("location") { "empty" } else { "missing" }
            )));
        }
        if !location.contains("://") {
            return Err(Error::invalid(format!("location {location:?} has no protocol; write it as {protocol}://{location}")));
        }
        if let Some((_, password)) = secrets::user_information(location).and_then(|user| user.split_once(':')) {
            secrets::remember(password);
        }
        Ok(Config { protocol, values, host })
    }

    /// The protocol under which the host knows the connector: `fs` in `fs:///srv`.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The whole location: `fs:///srv`.
    pub fn location(&self) -> &str {
        &self.values["location"]
    }

    /// The location without `proto://`: `/srv` for `fs:///srv`, `me` for `notes://me`.
    pub fn rest(&self) -> &str {
        self.location().split_once("://").map_or("", |(_, rest)| rest)
    }

    /// The location as a path of the file system; an error where it names none.
    pub fn path(&self) -> Result<&Path> {
        match self.rest() {
            "" => Err(Error::invalid(format!(
                "location {:?} names no path; write it as {}:///path",
                self.location(),
                self.protocol
            ))),
            rest => Ok(Path::new(rest)),
        }
    }

    /// The value of an option, if the user gave it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of an option that the connector cannot do without.
    pub fn require(&self, name: &str) -> Result<&str> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            Error::invalid(format!(
                "option {name:?} is missing; set it with: plakar source add NAME {} {name}=...",
                secrets::mask(self.location())
            ))
        })
    }

    /// The value of an option as a number or anything else that can be read from text, `default` where it is not given.
    pub fn parse<T>(&self, name: &str, default: T) -> Result<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|error| self.wrong(name, text, error)),
        }
    }

    /// The value of a yes-or-no option: `true`, `yes`, `on`, `1`, or `false`, `no`, `off`, `0`.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" => Ok(false),
                _ => Err(self.wrong(name, text, "write true or false")),
            },
        }
    }

    /// Refuses every option but these and the host's own, so that a misspelt one is not passed over in silence.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        match self.values.keys().find(|name| !known.contains(&name.as_str()) && !OF_THE_HOST.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) if known.is_empty() => Err(Error::invalid(format!("unknown option {name:?}; this connector has none"))),
            Some(name) => Err(Error::invalid(format!("unknown option {name:?}; this connector knows: {}", known.join(", ")))),
        }
    }

    /// Every option with its value, `location` among them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What the host tells about itself and about the user's wishes.
    pub fn host(&self) -> &HostOptions {
        &self.host
    }

    fn wrong(&self, name: &str, text: &str, why: impl Display) -> Error {
        let shown = if secrets::is_secret_name(name) { "***" } else { text };
        Error::invalid(format!("option {name:?} has the value {shown:?}: {why}"))
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |(name, value)| (name, if secrets::is_secret_name(name) { "***".into() } else { secrets::mask(value) });
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(values: &[(&str, &str)]) -> Result<Config> {
        let values = values.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        Config::new("notes", values, HostOptions::default())
    }

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().message().to_owned()
    }

    #[test]
    fn a_location_that_is_missing_empty_or_without_a_protocol_is_named() {
        assert_eq!(message(config(&[])), "option \"location\" is missing; give a location such as notes:///path");
        assert_eq!(message(config(&[("location", "")])), "option \"location\" is empty; give a location such as notes:///path");
        assert_eq!(message(config(&[("location", "/srv")])), "location \"/srv\" has no protocol; write it as notes:///srv");
        let empty = config(&[("location", "notes://")]).unwrap();
        assert_eq!(message(empty.path()), "location \"notes://\" names no path; write it as notes:///path");
    }

    #[test]
    fn a_missing_option_says_how_to_set_it() {
        let config = config(&[("location", "notes://me")]).unwrap();
        assert_eq!(
            message(config.require("token")),
            "option \"token\" is missing; set it with: plakar source add NAME notes://me token=..."
        );
    }

    #[test]
    fn a_wrong_value_is_shown_unless_it_is_secret() {
        let config = config(&[("location", "notes://me"), ("speed", "fast"), ("token", "x9y8z7"), ("deep", "perhaps")]).unwrap();
        assert_eq!(
            message(config.parse("speed", 1u32)),
            "option \"speed\" has the value \"fast\": invalid digit found in string"
        );
        assert_eq!(message(config.parse("token", 1u32)), "option \"token\" has the value \"***\": invalid digit found in string");
        assert_eq!(message(config.flag("deep", true)), "option \"deep\" has the value \"perhaps\": write true or false");
        assert_eq!(message(config.only(&["speed", "token"])), "unknown option \"deep\"; this connector knows: speed, token");
        assert!(!format!("{config:?}").contains("x9y8z7"));
    }
}
