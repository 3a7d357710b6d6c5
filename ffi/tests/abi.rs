//! The C interface as a C author meets it: programs of `tests/abi` under our own host.

mod common;

use std::collections::BTreeSet;
use std::io;
use std::process::Command;
use std::time::Duration;

use common::{Counts, How, Started};
use kloset_sdk::bytes::Bytes;
use kloset_sdk::host::{Entry, Error, Exporter, Importer, Item, Store};
use kloset_sdk::{FileInfo, Mac, Object, Range, Resource};
use tokio::sync::mpsc;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bounded = async { tokio::time::timeout(Duration::from_secs(300), future).await };
    runtime.block_on(bounded).expect("the test hangs")
}

/// What a scan brought.
#[derive(Debug, Default)]
struct Scanned {
    entries: Vec<Entry>,
    failed: Vec<(String, String)>,
    contents: Vec<Bytes>,
    open_errors: Vec<String>,
}

/// Scans; each content is opened and read before the next record is taken, as with a host of one worker.
async fn scan(importer: &Importer, open: bool) -> Result<Scanned, Error> {
    let mut scanned = Scanned::default();
    let mut scan = importer.scan();
    while let Some((item, receipt)) = scan.next().await? {
        if open && item.has_content() {
            match read(importer, &item).await {
                Ok(content) => scanned.contents.push(content),
                Err(error) => scanned.open_errors.push(error.text().to_owned()),
            }
        }
        match item {
            Item::Entry(entry) if entry.info.is_file() => scanned.entries.push(entry),
            Item::Failed { path, message } => scanned.failed.push((path, message)),
            _ => {}
        }
        receipt.done();
    }
    scan.finish().await?;
    Ok(scanned)
}

async fn read(importer: &Importer, item: &Item) -> Result<Bytes, Error> {
    importer.open(item).await?.whole(1 << 20).await
}

/// Runs an importer over its whole life.
fn importer(how: How, case: &str, open: bool) -> (Result<Scanned, Error>, Counts, String) {
    block_on(async {
        let started = Started::new(how, case, "importer");
        let importer = Importer::start(&started.launch).await.unwrap();
        let scanned = scan(&importer, open).await;
        let ended = importer.end().await;
        assert!(ended.is_ok(), "{ended:?}: {}", started.stderr());
        (scanned, started.counts().await, started.stderr())
    })
}

/// Why an importer's constructor fails.
fn refused(case: &str, options: &[(&str, &str)]) -> (String, Counts) {
    block_on(async {
        let mut started = Started::new(How::Plain, case, "importer");
        options.iter().for_each(|(name, value)| started.launch.option(name, value));
        let Err(error) = Importer::start(&started.launch).await else { panic!("{case} is not refused") };
        (error.text().to_owned(), started.counts().await)
    })
}

/// Runs a store over its whole life.
fn store<T>(how: How, case: &str, work: impl AsyncFnOnce(&Store) -> T) -> (T, Counts) {
    block_on(async {
        let started = Started::new(how, case, "store");
        let store = Store::start(&started.launch).await.unwrap();
        let outcome = work(&store).await;
        store.end().await.unwrap();
        (outcome, started.counts().await)
    })
}

fn object(kind: Resource, byte: u8) -> Object {
    Object::new(kind, Mac([byte; 32]))
}

/// Puts an object of so many pieces, the piece sizes being `piece`.
async fn put(store: &Store, object: Object, pieces: usize, piece: usize) -> Result<u64, Error> {
    let (sender, receiver) = mpsc::channel(1);
    let feed = async move {
        let data = Bytes::from(vec![7; piece]);
        for _ in 0..pieces {
            if sender.send(Ok(data.clone())).await.is_err() {
                break;
            }
        }
    };
    let (outcome, ()) = tokio::join!(store.put(object, receiver), feed);
    outcome
}

/// What the user reads, without the mark of what is not found and the name of the object.
fn text(result: Result<impl Sized, Error>) -> String {
    let Err(error) = result else { return "no error".to_owned() };
    let text = error.text();
    let text = text.strip_prefix("not found: ").unwrap_or(text);
    let is_about = |about: &&str| about.starts_with("lock ") || about.starts_with("packfile ");
    match text.split_once(": ") {
        Some((about, rest)) if is_about(&about) => rest.to_owned(),
        _ => text.to_owned(),
    }
}

// ---- the library itself ---------------------------------------------------------------------------------------------------

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_library_exports_the_interface_and_nothing_else() {
    let library = common::library().join("libkloset_sdk.so");
    let symbols = output(Command::new("nm").args(["-D", "--defined-only"]).arg(&library));
    let exported: BTreeSet<_> = symbols.lines().filter_map(|line| line.split(' ').next_back()).collect();
    let header = std::fs::read_to_string(format!("{}/../include/kloset_sdk.h", common::PACKAGE)).unwrap();
    let declared =
        |line: &&str| !line.starts_with([' ', '#', '/', '*']) && !line.starts_with("static") && !line.starts_with("typedef");
    let declared: BTreeSet<_> = header
        .lines()
        .filter(declared)
        .filter_map(|line| line.split_once('(').map(|(before, _)| before))
        .filter_map(|before| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("kloset_"))
        .collect();
    assert!(declared.len() > 60);
    assert_eq!(exported, declared);
    let dynamic = output(Command::new("readelf").arg("-d").arg(&library));
    assert!(dynamic.contains("Library soname: [libkloset_sdk.so.0]"), "{dynamic}");
}

#[test]
fn what_the_macros_start_the_functions_start_and_null_is_refused() {
    for how in [How::Plain, How::Sanitized] {
        assert_eq!(output(&mut Command::new(common::program("values", how))), "ok\n");
    }
}

// ---- tables ---------------------------------------------------------------------------------------------------------------

#[test]
fn a_table_without_a_required_entry_is_refused_by_the_entrys_name() {
    for (case, expected) in
        [("no_init=1", "importer table has no init"), ("no_scan=1", "importer table has no scan nor scan_next")]
    {
        let (error, counts) = refused(case, &[]);
        assert_eq!(error, expected);
        assert_eq!((counts.get("init"), counts.get("user_data"), counts.get("code")), (0, 3, 1));
    }
    block_on(async {
        let started = Started::new(How::Plain, "no_permissions=1", "exporter");
        assert_eq!(text(Exporter::start(&started.launch).await), "exporter table has no set_permissions");
        let started = Started::new(How::Plain, "no_store_open=1", "store");
        assert_eq!(text(Store::start(&started.launch).await), "store table has no open");
        assert!(started.stderr().contains("error: store table has no open"), "{}", started.stderr());
    });
}

#[test]
fn a_table_from_a_newer_header_works_unless_it_uses_what_is_new() {
    let (scanned, counts, _) = importer(How::Plain, "larger=1,newer=0,records=3", true);
    assert_eq!(scanned.unwrap().contents.len(), 3);
    counts.balance();
    let (error, counts) = refused("newer=1", &[]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        error,
        format!("importer table was built against a newer SDK and uses what this one ({version}) does not have yet")
    );
    assert_eq!(counts.get("user_data"), 3);
}

#[test]
fn a_table_from_an_older_header_lacks_its_last_entries() {
    let (scanned, counts, _) = importer(How::Plain, "older=1,records=3", true);
    assert_eq!(scanned.unwrap().contents.len(), 3);
    assert_eq!((counts.get("freed"), counts.get("destroy")), (3, 0));
}

#[test]
fn a_table_that_was_not_started_is_refused() {
    assert_eq!(refused("size=7", &[]).0, "importer table has a struct_size of 7; start it with KLOSET_IMPORTER_INIT");
    assert_eq!(refused("no_version=1", &[]).0, "importer table has no abi_version; start it with KLOSET_IMPORTER_INIT");
    assert_eq!(refused("reserved=1", &[]).0, "importer table has 9 in reserved, which must be zero");
    assert_eq!(refused("threads=7", &[]).0, "importer table has the unknown thread_model 7");
}

#[test]
fn what_waits_cannot_run_on_the_callers_thread() {
    let refusal = |table: &str, entry: &str, instead: &str| {
        format!(
            "{table} table has {entry}, which waits for the host and cannot run on the caller's thread: write {instead} in its place"
        )
    };
    assert_eq!(refused("threads=3,both=1", &[]).0, refusal("importer", "scan", "scan_next"));
    block_on(async {
        let started = Started::new(How::Plain, "threads=3,both=1", "exporter");
        assert_eq!(text(Exporter::start(&started.launch).await), refusal("exporter", "store_file", "create_file"));
        let started = Started::new(How::Plain, "threads=3,both=1", "store");
        assert_eq!(text(Store::start(&started.launch).await), refusal("store", "put", "create_object"));
    });
}

#[test]
fn a_connector_without_a_role_or_with_a_name_that_is_no_text_is_refused() {
    for (case, expected) in [
        ("no_role=1", "the connector has no role: set importer, exporter or store"),
        ("latin_name=1", "the name of the connector \"caf\\xe9\" is not UTF-8"),
    ] {
        let output = Command::new(common::program("connector", How::Plain)).args([case, "importer"]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(expected), "{stderr}");
        assert_eq!(output.status.code(), Some(1));
    }
}

// ---- init -----------------------------------------------------------------------------------------------------------------

#[test]
fn an_instance_is_destroyed_exactly_once_also_when_its_construction_fails_half_way() {
    for (case, expected) in [
        ("init_fails=1", "it failed half-way"),
        ("init_errno=1", "/srv/absent: No such file or directory"),
        ("init_status=-1", "init failed and gave no reason (KLOSET_FAILED)"),
        ("init_status=-2", "init failed and gave no reason (KLOSET_NOT_FOUND)"),
        ("init_status=1", "init returned the unknown status 1"),
        ("init_status=2", "init returned the unknown status 2"),
        ("init_status=42", "init returned the unknown status 42"),
        ("init_status=-7", "init returned KLOSET_CANCELLED, but the host did not cancel"),
        ("latin=1", "the origin \"caf\\xe9\" is not UTF-8"),
        ("require=1", "option \"token\" is missing; set it with: plakar source add NAME abi:/// token=..."),
    ] {
        let (error, counts) = refused(case, &[]);
        assert_eq!(error, expected);
        assert_eq!((counts.get("init"), counts.get("destroy"), counts.get("user_data")), (1, 1, 3), "{case}");
    }
}

#[test]
fn mistakes_in_the_configuration_fail_init_whatever_it_returns() {
    let wrong = |options: &[(&str, &str)]| refused("only=1", options).0;
    assert_eq!(wrong(&[("colour", "blue")]), "unknown option \"colour\"; this connector knows: token, depth");
    assert_eq!(wrong(&[("depth", "ten")]), "option \"depth\" has the value \"ten\": write a whole number from 1 to 9");
    assert_eq!(wrong(&[("depth", "10")]), "option \"depth\" has the value \"10\": write a whole number from 1 to 9");
    assert_eq!(wrong(&[("token", "a\0b")]), "option \"token\" holds a NUL");
    block_on(async {
        let mut started = Started::new(How::Plain, "path=1", "importer");
        started.launch.option("location", "abi://");
        assert_eq!(text(Importer::start(&started.launch).await), "location \"abi://\" names no path; write it as abi:///path");
    });
}

#[test]
fn init_may_say_where_the_data_is() {
    block_on(async {
        let started = Started::new(How::Plain, "place=1,acknowledge=1", "importer");
        let importer = Importer::start(&started.launch).await.unwrap();
        let location = importer.location().clone();
        assert_eq!((&*location.origin, &*location.kind, &*location.root), ("elsewhere", "xyz", "/deep"));
        assert_eq!(location.flags.bits(), 4 | 8);
        importer.end().await.unwrap();
        let started = Started::new(How::Plain, "x=1", "importer");
        let importer = Importer::start(&started.launch).await.unwrap();
        let location = importer.location().clone();
        assert_eq!((&*location.kind, &*location.root, location.flags.bits()), ("abi", "/", 0));
        importer.end().await.unwrap();
    });
}

// ---- statuses and texts ---------------------------------------------------------------------------------------------------

#[test]
fn an_unknown_status_is_an_error_that_names_the_callback_and_the_number() {
    block_on(async {
        for (case, expected) in [
            ("ping=77", "ping returned the unknown status 77"),
            ("ping=1", "ping returned the unknown status 1"),
            ("ping=-99", "ping returned the unknown status -99"),
            ("ping=-5", "ping failed and gave no reason (KLOSET_INVALID)"),
            ("ping_latin=1", "caf\u{fffd}"),
            ("ping_formatted=1", "3 of four"),
        ] {
            let started = Started::new(How::Plain, case, "importer");
            let importer = Importer::start(&started.launch).await.unwrap();
            assert_eq!(text(importer.ping().await), expected);
            importer.end().await.unwrap();
            started.counts().await.balance();
        }
    });
    let (scanned, ..) = importer(How::Plain, "steps=1,records=1,stop=1,status=3", true);
    assert_eq!(text(scanned), "scan_next returned the unknown status 3");
}

#[test]
fn an_instance_in_which_an_exception_was_caught_gets_no_more_work() {
    block_on(async {
        let started = Started::new(How::Plain, "ping=-9", "importer");
        let importer = Importer::start(&started.launch).await.unwrap();
        let why = "ping failed and gave no reason (KLOSET_PANICKED)";
        assert_eq!(text(importer.ping().await), why);
        assert_eq!(text(importer.ping().await), format!("the connector is not used any further: {why}"));
        importer.end().await.unwrap();
        started.counts().await.balance();
    });
}

#[test]
fn a_scan_may_return_early_at_every_point() {
    for how in [How::Plain, How::Sanitized] {
        for steps in [0, 1] {
            for stop in 1..=4 {
                for (status, said, expected) in [
                    (0, 0, "no error"),
                    (-1, 1, "the text"),
                    (-2, 0, "failed and gave no reason (KLOSET_NOT_FOUND)"),
                    (-7, 0, "returned KLOSET_CANCELLED, but the host did not cancel"),
                    (99, 0, "returned the unknown status 99"),
                ] {
                    // A step that returns success has filled in a record.
                    if steps == 1 && (status == 0 || said == 1) || how == How::Sanitized && status == -2 {
                        continue;
                    }
                    let case = format!("steps={steps},records=4,stop={stop},status={status},text={said}");
                    let (scanned, counts, _) = importer(how, &case, true);
                    let name = if steps == 1 { "scan_next " } else { "scan " };
                    let error = text(scanned);
                    assert_eq!(error.strip_prefix(name).unwrap_or(&error), expected, "{case}");
                    assert_eq!(counts.get("emitted"), stop - 1, "{case}");
                    counts.balance();
                }
            }
        }
    }
}

#[test]
fn a_host_that_wants_no_more_ends_the_scan_and_everything_is_freed() {
    for (how, case) in [
        (How::Plain, "records=1000000"),
        (How::Plain, "records=1000000,batch=50"),
        (How::Sanitized, "records=1000000,steps=1"),
        (How::Plain, "records=1000000,threads=2"),
        (How::Plain, "records=1000000,threads=3"),
    ] {
        block_on(async {
            let started = Started::new(how, case, "importer");
            let importer = Importer::start(&started.launch).await.unwrap();
            let mut scan = importer.scan();
            for _ in 0..10 {
                let (item, receipt) = scan.next().await.unwrap().unwrap();
                read(&importer, &item).await.unwrap();
                receipt.done();
            }
            drop(scan);
            // A scan that goes step by step is just not called any more.
            if !case.contains("steps") && !case.contains("threads=3") {
                started.said("scan cancelled").await;
            }
            importer.ping().await.unwrap();
            importer.end().await.unwrap();
            let counts = started.counts().await;
            assert!(counts.get("emitted") < 100_000, "{case}: {counts:?}");
            counts.balance();
        });
    }
}

// ---- records --------------------------------------------------------------------------------------------------------------

#[test]
fn a_record_that_is_refused_is_named_and_its_content_freed_and_the_scan_may_go_on() {
    for (case, expected) in [
        ("bad_path=2", "path \"relative\" is relative; paths in a snapshot begin with /"),
        ("latin_path=2", "the path of a record \"/caf\\xe9\" is not UTF-8"),
        ("two_contents=2", "record \"/000002\" has more than one of content, content_path and content_bytes"),
    ] {
        let (scanned, counts, stderr) = importer(How::Sanitized, &format!("{case},records=3,refused_is_error=1"), true);
        let scanned = scanned.unwrap();
        assert_eq!(scanned.entries.len(), 2);
        assert_eq!(scanned.failed, [("/caf\\xe9".to_owned(), expected.to_owned())]);
        assert!(stderr.contains(&format!("abi: warn: {expected}")), "{stderr}");
        assert_eq!(counts.get("refused"), 1);
        counts.balance();
        // A scan that takes every failure for the host's wish to stop tells the user the reason all the same.
        let (scanned, counts, _) = importer(How::Plain, &format!("{case},records=3,refused_is_cancelled=1"), true);
        assert_eq!(text(scanned), expected);
        counts.balance();
    }
    let (scanned, counts, _) = importer(How::Plain, "no_open=1,records=2,refused_is_cancelled=1", true);
    assert_eq!(text(scanned), "record \"/000001\" has a content, but the importer table has no open_content");
    counts.balance();
    // What a record from a newer header hands over is taken, whether it is refused or not.
    let (scanned, counts, _) = importer(How::Sanitized, "larger_record=1,records=3", true);
    assert_eq!(scanned.unwrap().contents.len(), 3);
    counts.balance();
    let (scanned, counts, _) = importer(How::Sanitized, "larger_record=1,record_tail=1,records=3,refused_is_cancelled=1", true);
    assert!(text(scanned).starts_with("record was built against a newer SDK"));
    counts.balance();
    // Nothing can be known of a record that was not started, not even what to free.
    let (scanned, _, _) = importer(How::Plain, "newer_record=1,records=1,refused_is_cancelled=1", true);
    assert_eq!(text(scanned), "record has a struct_size of 3; start it with KLOSET_RECORD_INIT");
}

#[test]
fn contents_come_from_callbacks_memory_or_files() {
    for (case, freed) in [("content=1", "memory_freed"), ("content=2", ""), ("content=1,batch=7", "memory_freed")] {
        let (scanned, counts, _) = importer(How::Sanitized, &format!("{case},records=20"), true);
        let scanned = scanned.unwrap();
        for (entry, content) in scanned.entries.iter().zip(&scanned.contents) {
            assert_eq!((entry.path.as_bytes(), entry.info.size), (&content[..], Some(7)));
        }
        assert_eq!(scanned.contents.len(), 20);
        if !freed.is_empty() {
            assert_eq!(counts.get(freed), 20);
        }
        assert_eq!(counts.get("destroy"), 1);
    }
    let (scanned, ..) = importer(How::Plain, "content=3,records=2", true);
    assert_eq!(scanned.unwrap().open_errors, ["not found: /proc/self/absent: No such file or directory"; 2]);
    for reader in 0..=3 {
        let (scanned, counts, _) = importer(How::Sanitized, &format!("reader={reader},short_reads=1,records=20,batch=3"), true);
        let scanned = scanned.unwrap();
        let paths: Vec<_> = scanned.entries.iter().map(|entry| Bytes::from(entry.path.clone())).collect();
        assert_eq!(scanned.contents, paths);
        assert_eq!(counts.get("opened"), 20);
        assert_eq!(counts.get("closed"), if reader == 0 { 20 } else { 0 });
        assert_eq!(counts.get("memory_freed"), if reader == 2 { 20 } else { 0 });
        counts.balance();
    }
}

#[test]
fn a_file_of_this_machine_is_looked_at_by_the_library() {
    use std::os::unix::fs::MetadataExt;
    let (scanned, counts, _) = importer(How::Sanitized, "file=1", true);
    let scanned = scanned.unwrap();
    let (entry, metadata) = (&scanned.entries[0], std::fs::metadata("/etc/hostname").unwrap());
    assert_eq!(entry.path, "/hostname");
    assert_eq!(entry.info.size, Some(metadata.len()));
    assert_eq!((entry.info.mode, entry.info.modified.seconds), (metadata.mode(), metadata.mtime()));
    assert_eq!(entry.info.modified.nanos, metadata.mtime_nsec() as u32);
    assert_eq!(entry.xattrs, ["user.color", "user.empty"]);
    let contents: Vec<_> = scanned.contents.iter().map(|content| &content[..]).collect();
    assert_eq!(contents, [&*std::fs::read("/etc/hostname").unwrap(), b"blue", b""]);
    counts.balance();
}

#[test]
fn scan_next_gives_entries_and_errors_and_what_it_fills_in_before_it_fails_is_freed() {
    let (scanned, counts, _) = importer(How::Sanitized, "steps=1,records=5,error_at=3", true);
    let scanned = scanned.unwrap();
    assert_eq!(scanned.contents.len(), 4);
    assert_eq!(scanned.failed, [("/locked".to_owned(), "permission denied".to_owned())]);
    counts.balance();
    let (scanned, counts, _) = importer(How::Sanitized, "steps=1,records=5,next_fails=3", true);
    assert_eq!(text(scanned), "after the record was filled");
    counts.balance();
    let (scanned, ..) = importer(How::Plain, "steps=1,records=5,beyond=1", true);
    assert_eq!(text(scanned), "scan_next was built against a newer SDK and fills a record further than this one knows");
}

#[test]
fn results_are_acknowledged_where_the_table_wants_them() {
    let (scanned, counts, _) = importer(How::Sanitized, "acknowledge=1,records=500", false);
    assert_eq!(scanned.unwrap().entries.len(), 500);
    assert_eq!(counts.get("acknowledged"), 500, "{counts:?}");
    counts.balance();
}

// ---- readers --------------------------------------------------------------------------------------------------------------

#[test]
fn a_reader_that_misbehaves_is_an_error_of_its_content_and_closed_all_the_same() {
    for (case, expected) in [
        ("read_too_much=1", "read gave"),
        ("read_fails=1", "the disk: Input/output error"),
        ("read_status=5", "read returned the unknown status 5"),
        ("open_fails=1", "after the reader was made"),
        ("no_reader=1", "open_content returned KLOSET_OK without a reader"),
        ("no_read=1", "reader table has no read"),
        ("newer_reader=1", "reader table was built against a newer SDK"),
    ] {
        let (scanned, counts, _) = importer(How::Sanitized, &format!("{case},records=2"), true);
        let errors = scanned.unwrap().open_errors;
        assert!(errors.len() == 2 && errors.iter().all(|error| error.starts_with(expected)), "{case}: {errors:?}");
        assert_eq!((counts.get("opened"), counts.get("closed")), (2, 2), "{case}");
        counts.balance();
    }
    let (scanned, counts, _) = importer(How::Sanitized, "two_readers=1,records=2", true);
    assert_eq!(scanned.unwrap().contents.len(), 2);
    assert_eq!((counts.get("opened"), counts.get("closed")), (2, 4));
    for (reader, expected) in [(4, "not found: /proc/self/absent: No such file or directory"), (5, "-1 is no open descriptor")] {
        let (scanned, ..) = importer(How::Plain, &format!("reader={reader},records=1"), true);
        assert_eq!(scanned.unwrap().open_errors, [expected]);
    }
}

#[test]
fn no_byte_that_the_author_did_not_write_reaches_a_backup() {
    let (scanned, ..) = importer(How::Plain, "read_claims=1,records=20", true);
    for content in scanned.unwrap().contents {
        assert!(!content.is_empty() && content.iter().all(|byte| *byte == 0), "{content:?}");
    }
}

// ---- the thread models ----------------------------------------------------------------------------------------------------

fn every_file_is_opened_while_the_scan_runs(threads: u32, more: &str) -> Counts {
    let records = 100_000;
    let case = format!("threads={threads},records={records}{more}");
    let counts = block_on(async {
        let started = Started::new(How::Plain, &case, "importer");
        let importer = Importer::start(&started.launch).await.unwrap();
        let mut scan = importer.scan();
        let mut seen = 0;
        while let Some((item, receipt)) = scan.next().await.unwrap() {
            if item.has_content() {
                assert_eq!(read(&importer, &item).await.unwrap(), item.path());
                seen += 1;
            }
            receipt.done();
        }
        scan.finish().await.unwrap();
        importer.end().await.unwrap();
        assert_eq!(seen, records);
        started.counts().await
    });
    assert_eq!((counts.get("opened"), counts.get("closed")), (records, records));
    counts.balance();
    counts
}

#[test]
fn serialised_callbacks_never_execute_at_once_and_a_scan_that_waits_gives_up_its_turn() {
    assert_eq!(every_file_is_opened_while_the_scan_runs(0, "").get("most_active"), 1);
}

#[test]
fn callbacks_of_an_instance_never_execute_at_once_where_each_instance_has_its_turn() {
    assert_eq!(every_file_is_opened_while_the_scan_runs(1, "").get("most_active"), 1);
}

#[test]
fn a_declared_maximum_of_one_makes_parallel_callbacks_take_turns() {
    assert_eq!(every_file_is_opened_while_the_scan_runs(2, ",max=1").get("most_active"), 1);
}

#[test]
fn parallel_callbacks_execute_side_by_side() {
    every_file_is_opened_while_the_scan_runs(2, "");
}

#[test]
fn on_the_callers_thread_every_callback_executes_there() {
    let counts = every_file_is_opened_while_the_scan_runs(3, "");
    assert_eq!((counts.get("most_active"), counts.get("wrong_thread")), (1, 0));
}

/// Sixteen uploads of 20 MiB at once, and among them one that is left without an end.
fn uploads(how: How, case: &str, size: usize) -> Counts {
    let (abandoned, counts) = store(how, case, async |store| {
        let (abandoned, pieces) = mpsc::channel::<io::Result<Bytes>>(1);
        let left = async {
            abandoned.send(Ok(Bytes::from(vec![1; 1000]))).await.unwrap();
            let puts = (0..16).map(|i| tokio::spawn(whole(store.clone(), i, size)));
            for put in puts.collect::<Vec<_>>() {
                assert_eq!(put.await.unwrap().unwrap(), size as u64);
            }
            abandoned.send(Err(io::Error::other("the host's reader failed"))).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(store.put(object(Resource::State, 99), pieces), left);
        outcome.unwrap_err().text().to_owned()
    });
    assert!(abandoned.starts_with("broken off"), "{abandoned}");
    assert_eq!((counts.get("put"), counts.get("finished")), (17, 16), "{counts:?}");
    assert_eq!((counts.get("init"), counts.get("destroy")), (1, 1));
    counts
}

async fn whole(store: Store, i: u8, size: usize) -> Result<u64, Error> {
    put(&store, object(Resource::State, i), size >> 20, 1 << 20).await
}

#[test]
fn sixteen_uploads_pass_through_one_slot_beside_an_abandoned_one() {
    const SIZE: usize = 20 << 20;
    for case in ["threads=0", "threads=2,max=1,take=1", "threads=0,take=2"] {
        let counts = uploads(How::Plain, case, SIZE);
        assert_eq!(counts.get("most_active"), 1, "{case}");
        assert_eq!(counts.get("aborted"), 1, "{case}");
    }
    for case in ["threads=0,steps=1", "threads=3"] {
        let counts = uploads(How::Plain, case, SIZE);
        assert_eq!(counts.get("most_active"), 1, "{case}");
        assert_eq!((counts.get("created"), counts.get("closed"), counts.get("aborted")), (17, 17, 1), "{case}");
    }
    uploads(How::Sanitized, "threads=2", 1 << 20);
    uploads(How::Sanitized, "threads=3", 1 << 20);
}

// ---- the store ------------------------------------------------------------------------------------------------------------

#[test]
fn a_named_entry_is_preferred_and_else_the_general_one_answers() {
    let (_, counts) = store(How::Sanitized, "x=1", async |store| {
        store.create(Bytes::from_static(b"config")).await.unwrap();
        assert_eq!(store.open().await.unwrap(), "the configuration");
        assert_eq!(store.size().await.unwrap(), Some(12345));
        assert_eq!(store.list(Resource::Lock).await.unwrap(), [Mac([3; 32])]);
        let get = async |kind, range| store.get(object(kind, 1), range).await.unwrap().whole(1000).await;
        assert_eq!(get(Resource::State, None).await.unwrap(), "the named one");
        assert_eq!(get(Resource::Packfile, None).await.unwrap(), "all of packfile");
        assert_eq!(get(Resource::Packfile, Some(Range { offset: 5, length: 6 })).await.unwrap(), "5+6");
        assert_eq!(get(Resource::EccState, None).await.unwrap(), "all of ecc-state");
        let missing = store.get(object(Resource::Packfile, 255), None).await;
        let missing = match missing {
            Ok(contents) => contents.whole(10).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(text(missing).starts_with("ffff"));
        assert_eq!(text(store.delete(object(Resource::Lock, 1)).await), "delete: not supported by this connector");
    });
    counts.balance();
}

#[test]
fn a_part_of_a_file_answers_a_get() {
    let file = std::fs::read("/etc/hostname").unwrap();
    store(How::Plain, "from_path=1", async |store| {
        let get = async |range| store.get(object(Resource::Packfile, 1), range).await.unwrap().whole(1000).await.unwrap();
        assert_eq!(get(None).await, file);
        assert_eq!(get(Some(Range { offset: 1, length: 2 })).await, file[1..3]);
        assert_eq!(get(Some(Range { offset: 1, length: 1000 })).await, file[1..]);
    });
}

#[test]
fn success_before_everything_was_read_is_an_error() {
    let (error, counts) =
        store(How::Plain, "stop_after=1", async |store| text(put(store, object(Resource::Lock, 1), 3, 200_000).await));
    assert!(error.starts_with("put returned success after"), "{error}");
    counts.balance();
}

#[test]
fn a_writer_is_finished_or_aborted_and_freed_exactly_once() {
    for (case, expected, ended) in [
        ("steps=1", "no error", ("finished", 1)),
        ("steps=1,write=-1", "write failed and gave no reason (KLOSET_FAILED)", ("aborted", 1)),
        ("steps=1,write=9", "write returned the unknown status 9", ("aborted", 1)),
        ("steps=1,finish=-2", "finish failed and gave no reason (KLOSET_NOT_FOUND)", ("finished", 1)),
        ("steps=1,writer_fails=1", "after the writer was made", ("aborted", 1)),
        ("steps=1,no_writer=1", "create_object returned KLOSET_OK without a writer", ("aborted", 1)),
        ("steps=1,no_finish=1", "writer table has no finish", ("aborted", 1)),
    ] {
        let (error, counts) =
            store(How::Sanitized, case, async |store| text(put(store, object(Resource::Lock, 1), 3, 1000).await));
        assert_eq!(error, expected);
        assert_eq!((counts.get("created"), counts.get("closed")), (1, 1), "{case}");
        assert_eq!(counts.get("finished") + counts.get("aborted"), 1, "{case}");
        assert_eq!(counts.get(ended.0), ended.1, "{case}");
        counts.balance();
    }
}

// ---- the exporter ---------------------------------------------------------------------------------------------------------

fn export(how: How, case: &str, cut: bool) -> (Vec<Option<String>>, Counts) {
    block_on(async {
        let started = Started::new(how, case, "exporter");
        let exporter = Exporter::start(&started.launch).await.unwrap();
        let (mut feed, mut results) = exporter.export();
        let fed = async move {
            let entry = |path: &str, info| Entry { path: path.to_owned(), info, ..Entry::default() };
            feed.entry(&entry("/", FileInfo::directory())).await.unwrap();
            for i in 0..20 {
                let info = FileInfo { size: Some(3 << 20), ..FileInfo::file() };
                let entry = Entry { has_content: true, ..entry(&format!("/{i}"), info) };
                feed.entry(&entry).await.unwrap();
                for _ in 0..3 {
                    feed.content(Bytes::from(vec![1; 1 << 20])).await.unwrap();
                }
                if cut && i == 19 {
                    break;
                }
                feed.end_of_content().await.unwrap();
            }
        };
        // The results go with the export: what is left of one keeps the connection.
        let told = async move {
            let mut outcomes = Vec::new();
            while let Some(outcome) = results.next().await.unwrap() {
                outcomes.push(outcome.error);
            }
            outcomes
        };
        let ((), outcomes) = tokio::join!(fed, told);
        exporter.end().await.unwrap();
        (outcomes, started.counts().await)
    })
}

#[test]
fn files_are_stored_by_pushing_and_by_steps_under_every_thread_model() {
    for case in ["threads=0", "threads=1,take=1", "threads=2,take=2", "threads=0,steps=1", "threads=2,steps=1", "threads=3"] {
        let (outcomes, counts) = export(How::Sanitized, case, false);
        assert_eq!(outcomes.len(), 21, "{case}");
        assert!(outcomes.iter().all(Option::is_none), "{case}: {outcomes:?}");
        assert_eq!((counts.get("finished"), counts.get("aborted")), (20, 0), "{case}");
        assert_eq!(counts.get("written"), 20 * (3 << 20), "{case}");
        assert_eq!(counts.get("permissions"), 21, "{case}");
        if !case.contains("threads=2") {
            assert_eq!(counts.get("most_active"), 1, "{case}");
        }
        counts.balance();
    }
}

#[test]
fn a_file_that_the_host_broke_off_is_aborted_and_never_finished() {
    for case in ["threads=0", "threads=0,take=1", "threads=0,take=2", "threads=0,steps=1", "threads=3"] {
        let (_, counts) = export(How::Plain, case, true);
        assert_eq!((counts.get("finished"), counts.get("aborted")), (19, 1), "{case}");
        counts.balance();
    }
}

// ---- valgrind -------------------------------------------------------------------------------------------------------------

#[test]
fn nothing_is_leaked_or_misused_under_valgrind() {
    if !common::has_valgrind() {
        println!("valgrind is not installed: this was not tried");
        return;
    }
    for case in
        ["records=300,acknowledge=1", "threads=3,records=300,error_at=7", "threads=2,records=300,batch=20,reader=2", "file=1"]
    {
        let (scanned, counts, _) = importer(How::Valgrind, case, true);
        scanned.unwrap();
        counts.balance();
    }
    for case in ["init_fails=1", "no_scan=1"] {
        block_on(async {
            let started = Started::new(How::Valgrind, case, "importer");
            Importer::start(&started.launch).await.map(drop).unwrap_err();
            assert!(!started.stderr().contains("== "), "{}", started.stderr());
        });
    }
    for case in ["threads=0", "threads=3"] {
        let (outcomes, counts) = export(How::Valgrind, case, false);
        assert_eq!(outcomes.len(), 21);
        counts.balance();
        uploads(How::Valgrind, case, 1 << 20);
    }
}
