//! A connector that counts its allocations. With every `Ping` it says on standard error how many there were so far, how often it
//! read and wrote, and how often its store was asked for an object. Its content is made up, `size` bytes of it.

use std::alloc::System;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use kloset_sdk::blocking::{self, Emitter, Source};
use kloset_sdk::bytes::BytesMut;
use kloset_sdk::{
    Config, Connector, Content, FileInfo, Fill, Link, Location, Mac, Object, Range, Reader, Record, Resource, Result,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    Connector::new("counted").blocking_importer::<Counted>().blocking_exporter::<Counted>().blocking_store::<Counted>().main()
}

/// How often the store was asked for an object, or a part of one.
static GETS: AtomicU64 = AtomicU64::new(0);

struct Counted {
    records: u64,
    size: usize,
}

impl Counted {
    fn new(config: &Config) -> Result<Self> {
        config.only(&["records", "size"])?;
        Ok(Counted { records: config.parse("records", 0)?, size: config.parse("size", 0)? })
    }
}

fn say() -> Result<()> {
    let stats = COUNTED.stats();
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let calls = |name| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap_or(0);
    static SAID: AtomicU64 = AtomicU64::new(1);
    let number = SAID.fetch_add(1, Ordering::Relaxed);
    let allocations = stats.allocations + stats.reallocations;
    eprintln!("counted {number}: {allocations} {} {}", calls("syscr:") + calls("syscw:"), GETS.load(Ordering::Relaxed));
    Ok(())
}

/// So many bytes, in as few calls as the library wants.
struct Bytes(usize);

impl Fill for Bytes {
    fn fill(&mut self, buffer: &mut BytesMut, max: usize) -> Result<usize> {
        let n = self.0.min(max);
        self.0 -= n;
        buffer.resize(buffer.len() + n, 1);
        Ok(n)
    }
}

fn location(defaults: Location) -> Location {
    Location { root: "/".into(), ..defaults }
}

impl blocking::Importer for Counted {
    fn init(config: &Config) -> Result<Self> {
        Counted::new(config)
    }

    fn location(&self, defaults: Location) -> Location {
        location(defaults)
    }

    fn scan(&self, out: &Emitter) -> Result<()> {
        out.emit(Record::directory("/"))?;
        for i in 0..self.records {
            let size = self.size;
            let content = Content::open(move || Ok(Reader::from_fill(Bytes(size))));
            out.emit(Record::file(format!("/{i:06}"), content).size(size as u64))?;
        }
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        say()
    }
}

impl blocking::Exporter for Counted {
    fn init(config: &Config) -> Result<Self> {
        Counted::new(config)
    }

    fn location(&self, defaults: Location) -> Location {
        location(defaults)
    }

    fn create_directory(&self, _: &str, _: &FileInfo) -> Result<()> {
        Ok(())
    }

    fn store_file(&self, _: &str, _: &FileInfo, source: &mut Source) -> Result<()> {
        while source.next_piece()?.is_some() {}
        Ok(())
    }

    fn set_permissions(&self, _: &str, _: &FileInfo) -> Result<()> {
        Ok(())
    }

    fn create_link(&self, _: &str, _: Link<'_>, _: &FileInfo) -> Result<()> {
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        say()
    }
}

impl blocking::Store for Counted {
    fn init(config: &Config) -> Result<Self> {
        Counted::new(config)
    }

    fn location(&self, defaults: Location) -> Location {
        location(defaults)
    }

    fn create(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn open(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn list(&self, _: Resource) -> Result<Vec<Mac>> {
        Ok(Vec::new())
    }

    fn put(&self, _: Object, source: &mut Source) -> Result<()> {
        while source.next_piece()?.is_some() {}
        Ok(())
    }

    fn get(&self, _: Object, range: Option<Range>) -> Result<Reader> {
        GETS.fetch_add(1, Ordering::Relaxed);
        Ok(Reader::from_fill(Bytes(range.map_or(self.size, |range| range.length as usize))))
    }

    fn delete(&self, _: Object) -> Result<()> {
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        say()
    }
}
