//! The generations of the protocol: which one to serve, and which one a host turns out to speak.

use std::path::Path;

use super::arguments::Role;
use crate::{Error, Result};

/// Names the generation where the arguments do not.
const VARIABLE: &str = "KLOSET_SDK_PROTOCOL";

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    V1_0,
    V1_1,
}

impl Generation {
    const ALL: [Generation; 2] = [Generation::V1_0, Generation::V1_1];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Generation::V1_0 => "1.0",
            Generation::V1_1 => "1.1",
        }
    }

    /// The folder below `plugins` into which hosts of this generation unpack packages.
    fn folder(self) -> &'static str {
        match self {
            Generation::V1_0 => "v1.0.0",
            Generation::V1_1 => "v1.1.0",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Generation> {
        Self::ALL
            .into_iter()
            .find(|generation| generation.name() == name)
            .ok_or_else(|| Error::invalid(format!("protocol generation {name:?} is not served; 1.0 and 1.1 are")))
    }

    /// The generation to serve: nothing that a host says first tells the two apart, so that it has to be known before.
    pub(crate) fn choose(argument: Option<Generation>) -> Result<Generation> {
        if let Some(generation) = argument {
            return Ok(generation);
        }
        if let Some(name) = std::env::var_os(VARIABLE) {
            return Self::from_name(&name.to_string_lossy()).map_err(|error| error.context(VARIABLE));
        }
        let program = std::env::current_exe().ok();
        // A script's interpreter has the script behind its own name.
        let named = std::env::args_os().take(2).map(Into::into);
        Ok(program.into_iter().chain(named).find_map(|path| Self::of_path(&path)).unwrap_or(Generation::V1_1))
    }

    /// The generation of the host that unpacked a package to this place: `<cache>/plakar/plugins/v1.0.0/<package>/…`.
    fn of_path(path: &Path) -> Option<Generation> {
        let mut inside_plugins = false;
        let mut found = None;
        for part in path.components() {
            if inside_plugins {
                found = Self::ALL.into_iter().find(|generation| part.as_os_str() == generation.folder()).or(found);
            }
            inside_plugins = part.as_os_str() == "plugins";
        }
        found
    }

    /// What a host of this generation is told by a process that serves the other one.
    pub(crate) fn wrong(self, served: Generation, role: Role) -> Error {
        let (speaks, serves, role) = (self.name(), served.name(), role.name());
        Error::invalid(format!(
            "plakar speaks generation {speaks} of the connector protocol, and this process serves {serves}: write into the manifest, \
             for the {role}, args: [{role}, --protocol={speaks}]"
        ))
    }
}

/// The role whose service a gRPC method belongs to, and the generation if only one of them has the method.
pub(crate) fn of_method(path: &str) -> Option<(Role, Option<Generation>)> {
    use Generation::{V1_0, V1_1};
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    Some(match (service, method) {
        ("importer.Importer", "Info" | "Scan" | "OpenReader" | "CloseReader") => (Role::Importer, Some(V1_0)),
        ("importer.Importer", "Ping" | "Import" | "Open") => (Role::Importer, Some(V1_1)),
        ("importer.Importer", _) => (Role::Importer, None),
        ("exporter.Exporter", _) => (Role::Exporter, Some(V1_0)),
        ("plakar.exporter.Exporter", _) => (Role::Exporter, Some(V1_1)),
        ("store.Store", "Ping" | "Mode" | "Size" | "List" | "Put" | "Get" | "Delete") => (Role::Store, Some(V1_1)),
        ("store.Store", "Init" | "Create" | "Open" | "Close") => (Role::Store, None),
        ("store.Store", method) => {
            let named = ["Get", "Put", "Delete"].into_iter().any(|call| method.starts_with(call));
            (Role::Store, named.then_some(V1_0))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_into_which_a_host_unpacks_tells_its_generation() {
        for (path, generation) in [
            ("/home/u/.cache/plakar/plugins/v1.0.0/fs-rust_v1_linux_amd64/fs-rust", Some(Generation::V1_0)),
            ("/home/u/.cache/plakar/plugins/v1.1.0/fs-rust_v1_linux_amd64/fs-rust", Some(Generation::V1_1)),
            ("/srv/plugins/v1.1.0/x/plugins/v1.0.0/y/z", Some(Generation::V1_0)),
            ("/srv/plugins/v2.0.0/x/y", None),
            ("/srv/v1.0.0/fs-rust", None),
            ("/usr/bin/fs-rust", None),
        ] {
            assert_eq!(Generation::of_path(Path::new(path)), generation, "{path}");
        }
    }

    #[test]
    fn a_method_that_only_one_generation_has_tells_which_it_is() {
        for (path, told) in [
            ("/importer.Importer/Init", Some((Role::Importer, None))),
            ("/importer.Importer/Scan", Some((Role::Importer, Some(Generation::V1_0)))),
            ("/importer.Importer/Import", Some((Role::Importer, Some(Generation::V1_1)))),
            ("/exporter.Exporter/Init", Some((Role::Exporter, Some(Generation::V1_0)))),
            ("/plakar.exporter.Exporter/Init", Some((Role::Exporter, Some(Generation::V1_1)))),
            ("/store.Store/Open", Some((Role::Store, None))),
            ("/store.Store/Get", Some((Role::Store, Some(Generation::V1_1)))),
            ("/store.Store/GetPackfileBlob", Some((Role::Store, Some(Generation::V1_0)))),
            ("/store.Store/GetLocation", Some((Role::Store, Some(Generation::V1_0)))),
            ("/store.Store/Sing", Some((Role::Store, None))),
            ("/other.Service/Init", None),
        ] {
            assert_eq!(of_method(path), told, "{path}");
        }
    }

    #[test]
    fn a_host_of_the_other_generation_is_told_what_to_write_into_the_manifest() {
        let error = Generation::V1_0.wrong(Generation::V1_1, Role::Exporter);
        assert!(error.message().ends_with("args: [exporter, --protocol=1.0]"), "{error}");
    }
}
