//! The store: has every object, keeps none.

use kloset_sdk::blocking::{self, Source};
use kloset_sdk::{Config, Location, Mac, Object, Range, Reader, Resource, Result};

use crate::{Settings, content, take_time};

pub(crate) struct Store(Settings);

impl blocking::Store for Store {
    fn init(config: &Config) -> Result<Self> {
        Ok(Store(Settings::new(config)?))
    }

    fn location(&self, defaults: Location) -> Location {
        Location { root: "/".into(), ..defaults }
    }

    fn create(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn open(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn list(&self, _: Resource) -> Result<Vec<Mac>> {
        let mac = |number: u64| {
            let mut mac = [0; Mac::LEN];
            mac[..8].copy_from_slice(&number.to_be_bytes());
            Mac(mac)
        };
        Ok((0..self.0.macs).map(mac).collect())
    }

    fn put(&self, _: Object, source: &mut Source) -> Result<()> {
        while source.next_piece()?.is_some() {}
        Ok(())
    }

    fn get(&self, _: Object, range: Option<Range>) -> Result<Reader> {
        take_time(self.0.latency);
        let (start, end) = match range {
            None => (0, self.0.size),
            Some(range) => (range.offset, range.offset.saturating_add(range.length.into()).min(self.0.size)),
        };
        Ok(content::reader(start, end))
    }

    fn delete(&self, _: Object) -> Result<()> {
        Ok(())
    }
}
