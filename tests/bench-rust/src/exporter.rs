//! The exporter: takes everything, keeps nothing.

use kloset_sdk::blocking::{self, Source};
use kloset_sdk::{Config, FileInfo, Link, Location, Result};

use crate::{Settings, take_time};

pub(crate) struct Exporter(Settings);

impl blocking::Exporter for Exporter {
    fn init(config: &Config) -> Result<Self> {
        Settings::new(config).map(Exporter)
    }

    fn location(&self, defaults: Location) -> Location {
        Location { root: "/".into(), ..defaults }
    }

    fn create_directory(&self, _: &str, _: &FileInfo) -> Result<()> {
        Ok(())
    }

    fn store_file(&self, _: &str, _: &FileInfo, source: &mut Source) -> Result<()> {
        while source.next_piece()?.is_some() {}
        take_time(self.0.latency);
        Ok(())
    }

    fn set_permissions(&self, _: &str, _: &FileInfo) -> Result<()> {
        Ok(())
    }

    fn create_link(&self, _: &str, _: Link<'_>, _: &FileInfo) -> Result<()> {
        Ok(())
    }

    fn create_special(&self, _: &str, _: &FileInfo) -> Result<()> {
        Ok(())
    }

    fn set_xattr(&self, _: &str, _: &str, _: &[u8]) -> Result<()> {
        Ok(())
    }
}
