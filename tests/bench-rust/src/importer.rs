//! The importer: files whose names are made up while it scans.

use kloset_sdk::blocking::{self, Emitter};
use kloset_sdk::{Config, Content, Location, Record, Result, Timestamp};

use crate::{Settings, content, take_time};

const MODIFIED: Timestamp = Timestamp { seconds: 1_700_000_000, nanos: 0 };

pub(crate) struct Importer(Settings);

impl blocking::Importer for Importer {
    fn init(config: &Config) -> Result<Self> {
        Ok(Importer(Settings::new(config)?))
    }

    fn location(&self, defaults: Location) -> Location {
        Location { root: "/".into(), ..defaults }
    }

    fn scan(&self, out: &Emitter) -> Result<()> {
        let directory = |path| out.emit(Record::directory(path).modified(MODIFIED));
        let latency = self.0.latency;
        let file = |path: String, size| {
            let content = Content::open(move || {
                take_time(latency);
                Ok(content::reader(0, size))
            });
            out.emit(Record::file(path, content).size(size).modified(MODIFIED))
        };
        directory("/")?;
        directory("/f")?;
        for i in 0..self.0.files {
            file(format!("/f/{i:07}"), self.0.size)?;
        }
        if self.0.records > 0 {
            directory("/r")?;
        }
        for i in 0..self.0.records {
            file(format!("/r/{i:07}"), 0)?;
        }
        Ok(())
    }
}
