//! `store`: objects of a store.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::host::{CHUNK, Contents, Error, Store};
use crate::{Mac, Object, Range, Resource};
use bytes::{Bytes, BytesMut};
use indicatif::BinaryBytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::Stop;
use super::arguments::{Arguments, StoreCommand};
use super::output::Output;

/// What is kept as a repository's configuration where the user gives none.
const CONFIGURATION: &[u8] = b"made by kloset-sdk, not by plakar\n";

pub(super) async fn run(arguments: &Arguments, command: &StoreCommand, output: &Arc<Output>) -> Result<(), Stop> {
    let common = command.common();
    let launch = common.connector.launch(arguments, output)?;
    // What is wrong on this side is found before anything is started.
    let input = match command {
        StoreCommand::Put { mac, file, .. } => Some((mac_or_random(mac)?, Input::open(file).map_err(Stop::not_started)?)),
        StoreCommand::Create { file: Some(file), .. } => {
            Some((Mac([0; Mac::LEN]), Input::open(file).map_err(Stop::not_started)?))
        }
        _ => None,
    };
    if common.json && matches!(command, StoreCommand::Get { output: None, .. }) {
        return Err(Stop::not_started(Error::local("--json wants --output FILE: standard output cannot hold both")));
    }
    let store = Store::start(&launch).await.map_err(Stop::not_started)?;
    let result = in_store(command, &store, input, output).await;
    let ended = store.end().await;
    result?;
    Ok(ended?)
}

async fn in_store(command: &StoreCommand, store: &Store, input: Option<(Mac, Input)>, output: &Arc<Output>) -> Result<(), Error> {
    if let StoreCommand::Create { .. } = command {
        let configuration = match input {
            Some((_, mut input)) => input.whole()?,
            None => Bytes::from_static(CONFIGURATION),
        };
        store.create(configuration).await?;
        if output.is_json() {
            output.object(&json!({ "event": "created", "root": store.location().root }));
        }
        return Ok(());
    }
    let configuration = match store.open().await {
        Err(error) if command.creates() => {
            // A store that is there and cannot be opened refuses this as well, and the first error says more.
            if store.create(Bytes::from_static(CONFIGURATION)).await.is_err() {
                return Err(error);
            }
            store.open().await?
        }
        opened => opened?,
    };
    match command {
        StoreCommand::Create { .. } => {}
        StoreCommand::Info { kind, .. } => info(store, kind, &configuration, output).await?,
        StoreCommand::Put { kind, .. } => {
            let Some((mac, input)) = input else { return Ok(()) };
            let begun = Instant::now();
            let bytes = put(store, Object::new(*kind, mac), input, output).await?;
            if output.is_json() {
                output.object(&json!({ "event": "put", "kind": kind.name(), "mac": mac.to_string(), "bytes": bytes }));
            } else {
                output.line(&mac.to_string());
            }
            output.summary(&format!("put {}", amount(bytes, begun)));
        }
        StoreCommand::Get { kind, mac, range, output: file, .. } => {
            let object = Object::new(*kind, *mac);
            let begun = Instant::now();
            let bytes = get(store, object, *range, file.as_ref(), output).await?;
            if output.is_json() {
                output.object(&json!({ "event": "got", "kind": kind.name(), "mac": mac.to_string(), "bytes": bytes }));
            }
            if file.is_some() {
                output.summary(&format!("got {}", amount(bytes, begun)));
            }
        }
        StoreCommand::Ls { kind, .. } => list(store, *kind, output).await?,
        StoreCommand::Rm { kind, mac, .. } => {
            for mac in mac {
                match store.delete(Object::new(*kind, *mac)).await {
                    Ok(()) if output.is_json() => {
                        output.object(&json!({ "event": "deleted", "kind": kind.name(), "mac": mac.to_string() }));
                    }
                    Ok(()) => {}
                    Err(error) => output.failed(&error),
                }
            }
        }
        StoreCommand::Roundtrip { kind, file, .. } => {
            for file in file {
                for kind in kind {
                    roundtrip(store, *kind, file, output).await?;
                }
            }
        }
    }
    Ok(())
}

async fn info(store: &Store, only: &[Resource], configuration: &Bytes, output: &Output) -> Result<(), Error> {
    let location = store.location();
    let mode = store.mode().await?;
    let size = store.size().await?;
    let mut counts = Vec::new();
    for kind in store.kinds().iter().copied().filter(|kind| only.is_empty() || only.contains(kind)) {
        // A store need not keep every kind.
        counts.push((kind, store.list(kind).await.ok().map(|macs| macs.len())));
    }
    if output.is_json() {
        let or_null = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let counts: serde_json::Map<_, _> = counts.iter().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect();
        output.object(&json!({
            "event": "store", "origin": or_null(&location.origin), "type": or_null(&location.kind), "root": location.root,
            "flags": location.flags.bits(), "read": mode.read, "write": mode.write, "size": size,
            "configuration": configuration.len(), "objects": counts,
        }));
        return Ok(());
    }
    let yes_or_no = |yes| if yes { "yes" } else { "no" };
    let or_not_told = |text: &str| if text.is_empty() { "not told".to_owned() } else { text.to_owned() };
    output.line(&format!("origin         {}", or_not_told(&location.origin)));
    output.line(&format!("type           {}", or_not_told(&location.kind)));
    output.line(&format!("root           {}", location.root));
    output.line(&format!("read, write    {}, {}", yes_or_no(mode.read), yes_or_no(mode.write)));
    output.line(&format!("size           {}", size.map_or("not known".to_owned(), |size| BinaryBytes(size).to_string())));
    output.line(&format!("configuration  {} bytes", configuration.len()));
    for (kind, count) in counts {
        let count = count.map_or("not listed".to_owned(), |count| count.to_string());
        output.line(&format!("{:<15}{count}", kind.name()));
    }
    Ok(())
}

async fn list(store: &Store, kind: Option<Resource>, output: &Output) -> Result<(), Error> {
    let all = kind.is_none();
    let kinds = kind.as_ref().map_or(store.kinds(), std::slice::from_ref);
    for kind in kinds.iter().copied() {
        let mut macs = match store.list(kind).await {
            Err(_) if all && matches!(kind, Resource::EccPackfile | Resource::EccState) => continue,
            macs => macs?,
        };
        macs.sort_unstable();
        for mac in macs {
            if output.is_json() {
                output.object(&json!({ "event": "object", "kind": kind.name(), "mac": mac.to_string() }));
            } else if all {
                output.line(&format!("{kind} {mac}"));
            } else {
                output.line(&mac.to_string());
            }
        }
    }
    Ok(())
}

async fn put(store: &Store, object: Object, input: Input, output: &Arc<Output>) -> Result<u64, Error> {
    let bar = output.progress(input.length).cloned();
    let (sender, pieces) = mpsc::channel(2);
    let size = std::thread::spawn(move || {
        let mut input = input;
        let mut size = 0;
        loop {
            let piece = input.piece();
            let ends = match &piece {
                Ok(piece) if piece.is_empty() => return size,
                Ok(piece) => {
                    size += piece.len() as u64;
                    if let Some(bar) = &bar {
                        bar.inc(piece.len() as u64);
                    }
                    false
                }
                Err(_) => true,
            };
            if sender.blocking_send(piece).is_err() || ends {
                return size;
            }
        }
    });
    let written = store.put(object, pieces).await?;
    let size = size.join().unwrap_or(0);
    if written != size {
        return Err(Error::local(format!("{object}: the store says that it wrote {written} bytes; {size} were sent")));
    }
    Ok(size)
}

async fn get(
    store: &Store,
    object: Object,
    range: Option<Range>,
    file: Option<&PathBuf>,
    output: &Arc<Output>,
) -> Result<u64, Error> {
    let mut contents = store.get(object, range).await?;
    let mut bytes = 0;
    let Some(path) = file else {
        while let Some(piece) = contents.next().await? {
            bytes += piece.len() as u64;
            output.bytes(&piece);
        }
        return Ok(bytes);
    };
    let mut file = File::create(path).map_err(|error| local(path, error))?;
    while let Some(piece) = contents.next().await? {
        bytes += piece.len() as u64;
        file.write_all(&piece).map_err(|error| local(path, error))?;
        if let Some(bar) = output.progress(None) {
            bar.inc(piece.len() as u64);
        }
    }
    Ok(bytes)
}

async fn roundtrip(store: &Store, kind: Resource, path: &Path, output: &Arc<Output>) -> Result<(), Error> {
    let object = Object::new(kind, random_mac()?);
    let begun = Instant::now();
    let size = put(store, object, Input::open(path)?, output).await?;
    let compared = compare(store, object, path, size).await;
    let deleted = delete(store, object).await;
    let ranges = compared?;
    deleted?;
    if output.is_json() {
        output.object(&json!({
            "event": "roundtrip", "file": path.display().to_string(), "kind": kind.name(), "mac": object.mac.to_string(),
            "bytes": size, "ranges": ranges, "identical": true,
        }));
    } else {
        let by_ranges = if ranges > 0 { format!(" and by {ranges} ranges") } else { String::new() };
        output.line(&format!(
            "{}: put as {object}, listed, got whole{by_ranges}, deleted; {}: identical",
            path.display(),
            amount(size, begun)
        ));
    }
    Ok(())
}

/// Compares an object with the file that it was made from, and says how many ranges were read.
async fn compare(store: &Store, object: Object, path: &Path, size: u64) -> Result<usize, Error> {
    if !store.list(object.kind).await?.contains(&object.mac) {
        return Err(Error::local(format!("{object}: it was put, and is not listed")));
    }
    same(store.get(object, None).await?, object, path, 0, size, "got whole").await?;
    if !store.has_ranges(object.kind) {
        return Ok(0);
    }
    let last = size.saturating_sub(1);
    let chunk = CHUNK as u64;
    let mut ranges = vec![(0, 1), (size / 2, 4096), (last, 1), (last.saturating_sub(9), 100), (0, size.min(3 * chunk + 1))];
    if size > chunk {
        ranges.extend([(chunk - 1, 2), (chunk, 1)]);
    }
    for (offset, length) in &ranges {
        let range = Range { offset: *offset, length: *length as u32 };
        let there = (*length).min(size.saturating_sub(*offset));
        let what = format!("got from {offset} on {length}");
        same(store.get(object, Some(range)).await?, object, path, *offset, there, &what).await?;
    }
    // Beyond the end, and of no length, there is nothing: an error says so as well.
    for range in [Range { offset: size + 1, length: 10 }, Range { offset: 0, length: 0 }] {
        if let Ok(mut contents) = store.get(object, Some(range)).await
            && let Ok(Some(piece)) = contents.next().await
        {
            let Range { offset, length } = range;
            let text = format!("{object}: {} bytes came for {length} from {offset} on; the object has {size}", piece.len());
            return Err(Error::local(text));
        }
    }
    Ok(ranges.len() + 2)
}

async fn same(mut contents: Contents, object: Object, path: &Path, from: u64, length: u64, what: &str) -> Result<(), Error> {
    let mut file = File::open(path).map_err(|error| local(path, error))?;
    file.seek(SeekFrom::Start(from)).map_err(|error| local(path, error))?;
    let mut expected = Vec::new();
    let mut at = 0;
    while let Some(piece) = contents.next().await? {
        let room = (length - at).min(piece.len() as u64);
        expected.clear();
        (&mut file).take(room).read_to_end(&mut expected).map_err(|error| local(path, error))?;
        if let Some(n) = expected.iter().zip(&piece).position(|(a, b)| a != b) {
            let text = format!("{object}: {what}, its byte {} is not that of {}", from + at + n as u64, path.display());
            return Err(Error::local(text));
        }
        at += expected.len() as u64;
        if expected.len() < piece.len() {
            return Err(Error::local(format!("{object}: {what}, it has more than the {length} bytes that were expected")));
        }
    }
    match at == length {
        true => Ok(()),
        false => Err(Error::local(format!("{object}: {what}, it has {at} bytes; {length} were expected"))),
    }
}

async fn delete(store: &Store, object: Object) -> Result<(), Error> {
    store.delete(object).await?;
    if store.list(object.kind).await?.contains(&object.mac) {
        return Err(Error::local(format!("{object}: it was deleted, and is still listed")));
    }
    let gone = match store.get(object, None).await {
        Err(_) => true,
        Ok(mut contents) => contents.next().await.is_err(),
    };
    if gone { Ok(()) } else { Err(Error::local(format!("{object}: it was deleted, and can still be read"))) }
}

fn amount(bytes: u64, begun: Instant) -> String {
    let seconds = begun.elapsed().as_secs_f64();
    let rate = BinaryBytes((bytes as f64 / seconds.max(1e-9)) as u64);
    format!("{} in {seconds:.2} s, {rate}/s", BinaryBytes(bytes))
}

fn local(path: &Path, error: io::Error) -> Error {
    Error::local(crate::Error::from(error).context(path.display()).message())
}

fn mac_or_random(text: &str) -> Result<Mac, Stop> {
    match text {
        "-" => random_mac().map_err(Stop::not_started),
        text => text.parse().map_err(|error: crate::Error| Stop::not_started(Error::local(error.message()))),
    }
}

fn random_mac() -> Result<Mac, Error> {
    let path = Path::new("/dev/urandom");
    let mut mac = [0; Mac::LEN];
    File::open(path).and_then(|mut file| file.read_exact(&mut mac)).map_err(|error| local(path, error))?;
    Ok(Mac(mac))
}

/// A file, or standard input.
struct Input {
    read: Box<dyn Read + Send>,
    length: Option<u64>,
}

impl Input {
    fn open(path: &Path) -> Result<Input, Error> {
        if path == Path::new("-") {
            return Ok(Input { read: Box::new(io::stdin()), length: None });
        }
        let open = || {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok(Input { read: Box::new(file), length: metadata.is_file().then_some(metadata.len()) })
        };
        open().map_err(|error| local(path, error))
    }

    /// The next piece; empty at the end.
    fn piece(&mut self) -> io::Result<Bytes> {
        let mut piece = BytesMut::zeroed(CHUNK);
        let mut filled = 0;
        while filled < piece.len() {
            match self.read.read(&mut piece[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        piece.truncate(filled);
        Ok(piece.freeze())
    }

    fn whole(&mut self) -> Result<Bytes, Error> {
        let mut whole = Vec::new();
        self.read.read_to_end(&mut whole).map_err(|error| local(Path::new("the configuration"), error))?;
        Ok(whole.into())
    }
}
