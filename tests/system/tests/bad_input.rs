//! What a user reads who gives something wrong, or whose connector does something wrong: the texts, word by word.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use system_tests::answers::{directory, file, symlink, xattr};
use system_tests::ask::Ask;
use system_tests::host::{Connector, Role, Start};
use system_tests::os::{self, Signal};
use system_tests::wire::plakar::connectors::Record;
use system_tests::wire::store::StorageResource::{self, Packfile};
use system_tests::wire::{importer, plakar::exporter, store};
use system_tests::{connectors, run};
use tempfile::TempDir;
use tonic::Status;

const STRAY: &str = env!("CARGO_BIN_EXE_stray");

async fn stray(role: Role) -> Connector {
    Start::new(STRAY).arg(role).go().await
}

/// A connector that was made with these options.
async fn ready(role: Role, config: &[(&str, &str)]) -> Connector {
    let connector = stray(role).await;
    connector.init(role, config).await.unwrap();
    connector
}

/// What `Init` says to exactly this configuration.
fn refused(role: Role, config: &[(&str, &str)]) -> String {
    run(async {
        let connector = stray(role).await;
        let error = connector.init_with(role, "stray", config).await.unwrap_err();
        connector.end_well().await;
        error.message().to_owned()
    })
}

// ---- configuration ----------------------------------------------------------------------------------------------------------

#[test]
fn a_location_that_is_missing_empty_or_without_a_protocol() {
    for role in Role::ALL {
        assert_eq!(refused(role, &[]), "option \"location\" is missing; give a location such as stray:///path");
        assert_eq!(refused(role, &[("location", "")]), "option \"location\" is empty; give a location such as stray:///path");
        let text = "location \"/srv\" has no protocol; write it as stray:///srv";
        assert_eq!(refused(role, &[("location", "/srv")]), text);
        let text = "location \"stray://\" names no path; write it as stray:///path";
        assert_eq!(refused(role, &[("location", "stray://"), ("path", "yes")]), text);
    }
}

#[test]
fn an_option_that_is_wrong_missing_or_unknown() {
    for role in Role::ALL {
        let refused = |config: &[(&str, &str)]| refused(role, &[&[("location", "stray://me")], config].concat());
        assert_eq!(refused(&[("speed", "fast")]), "option \"speed\" has the value \"fast\": invalid digit found in string");
        assert_eq!(refused(&[("speed", "")]), "option \"speed\" has the value \"\": cannot parse integer from empty string");
        assert_eq!(refused(&[("deep", "perhaps")]), "option \"deep\" has the value \"perhaps\": write true or false");
        let text = "option \"token\" is missing; set it with: plakar source add NAME stray://me token=...";
        assert_eq!(refused(&[("need", "token")]), text);
        assert_eq!(refused(&[("need", "token"), ("token", "")]), text);
        let text = refused(&[("pasword", "x")]);
        assert!(text.starts_with("unknown option \"pasword\"; this connector knows: do, text, ask, "), "{text}");
    }
}

#[test]
fn after_a_refused_configuration_the_right_one_is_taken() {
    for role in Role::ALL {
        run(async {
            let connector = stray(role).await;
            connector.init(role, &[("speed", "fast")]).await.unwrap_err();
            connector.init(role, &[("speed", "3")]).await.unwrap();
            let again = connector.init(role, &[]).await.unwrap_err();
            assert_eq!(again.message(), "Init came a second time");
            connector.end_well().await;
        });
    }
}

#[test]
fn the_passphrase_that_plakar_passes_along_is_no_unknown_option() {
    for role in Role::ALL {
        run(async { ready(role, &[("passphrase", "x"), ("passphrase_cmd", "y")]).await.end_well().await });
    }
}

#[test]
fn an_init_without_options_comes_from_a_broken_host_and_is_an_error() {
    run(async {
        let config = [("location".to_owned(), "stray:///".to_owned())];
        let connector = stray(Role::Importer).await;
        let request = importer::InitRequest { options: None, proto: "stray".into(), config: config.clone().into() };
        let error = connector.importer().init(request).await.unwrap_err();
        assert_eq!(error.message(), "the host sent no options with Init");
        connector.end_well().await;

        let connector = stray(Role::Exporter).await;
        let request = exporter::InitRequest { options: None, proto: "stray".into(), config: config.into() };
        let error = connector.exporter().init(request).await.unwrap_err();
        assert_eq!(error.message(), "the host sent no options with Init");
        connector.end_well().await;
    });
}

#[test]
fn a_call_before_init_is_refused() {
    let text = "the host called before Init had succeeded";
    run(async {
        for role in Role::ALL {
            let connector = stray(role).await;
            assert_eq!(connector.ping(role).await.unwrap_err().message(), text);
            connector.close(role).await.unwrap();
            connector.end_well().await;
        }
        let connector = stray(Role::Importer).await;
        assert_eq!(connector.import().await.err().unwrap().message(), text);
        assert_eq!(connector.open("/a", None).await.unwrap_err().message(), text);
        let connector = stray(Role::Exporter).await;
        assert_eq!(connector.export().await.err().unwrap().message(), text);
        let connector = stray(Role::Store).await;
        assert_eq!(connector.put_all([1; 32], Packfile, b"x").await.unwrap_err().message(), text);
        assert_eq!(connector.get([1; 32], Packfile).await.unwrap_err().message(), text);
        assert_eq!(connector.list(Packfile).await.unwrap_err().message(), text);
    });
}

#[test]
fn the_text_of_a_constructors_error_is_carried_whole_and_needs_no_prefix() {
    for role in Role::ALL {
        let location = ("location", "stray:///");
        for does in ["fail:init", "missing:init"] {
            let text = "cannot log in:\n\tthe server says ≪no≫ (530)";
            assert_eq!(refused(role, &[location, ("do", does), ("text", text)]), text);
        }
    }
}

#[test]
fn a_text_that_no_status_can_hold_is_cut_and_says_so() {
    let text = refused(Role::Store, &[("location", "stray:///"), ("do", "long:init")]);
    assert_eq!(text, format!("{} … (11808 bytes more)", "é".repeat(4096)));
}

#[test]
fn an_importers_root_must_be_absolute() {
    let text = refused(Role::Importer, &[("location", "stray:///"), ("root", "srv")]);
    assert_eq!(text, "the importer's root \"srv\" is not an absolute path");
}

#[test]
fn a_directory_that_does_not_exist_is_named_in_init() {
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        let absent = folder.path().join("absent");
        let location = format!("{}://{}", connector.protocol, absent.display());
        let process = connector.start(Role::Importer).go().await;
        let config = [("location", location.as_str())];
        let error = process.init_with(Role::Importer, &connector.protocol, &config).await.unwrap_err();
        assert_eq!(error.message(), format!("{}: No such file or directory", absent.display()));
        process.end_well().await;

        // A store that was never created is found out when it is opened.
        let process = connector.start(Role::Store).go().await;
        let error = match process.init_with(Role::Store, &connector.protocol, &config).await {
            Err(error) => error,
            Ok(_) => process.store().open(store::OpenRequest {}).await.unwrap_err(),
        };
        assert!(error.message().contains(absent.to_str().unwrap()), "{error:?}");
        process.end_well().await;
    });
}

#[test]
fn a_directory_that_cannot_be_read_is_named_in_init() {
    const NOBODY: u32 = 65534;
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let locked = folder.path().join("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        let mut start = connector.start(Role::Importer);
        if os::is_root() {
            // Root reads everything; and nobody may not see where the executable lies.
            start = connector.copied_to(folder.path()).arg(Role::Importer).user(NOBODY);
        }
        let process = start.go().await;
        let location = format!("{}://{}", connector.protocol, locked.display());
        let config = [("location", location.as_str())];
        let error = process.init_with(Role::Importer, &connector.protocol, &config).await.unwrap_err();
        assert_eq!(error.message(), format!("{}: Permission denied", locked.display()));
        process.end_well().await;
    });
}

#[test]
fn a_wrong_option_of_an_example_is_named_in_init() {
    connectors::each(|connector| async move {
        let folder = TempDir::new().unwrap();
        let location = format!("{}://{}", connector.protocol, folder.path().display());
        for role in Role::ALL {
            let process = connector.start(role).go().await;
            let config = [("location", location.as_str()), ("colour", "red")];
            let error = process.init_with(role, &connector.protocol, &config).await.unwrap_err();
            assert!(error.message().starts_with("unknown option \"colour\"; this connector "), "{role}: {error:?}");
            process.end_well().await;
        }
    });
}

// ---- records ----------------------------------------------------------------------------------------------------------------

/// How an import ends whose scan emits this and stops at the first refusal.
fn import_ends(emit: &str) -> String {
    run(async {
        let connector = ready(Role::Importer, &[("root", "/srv/data"), ("emit", emit)]).await;
        let error = connector.import().await.unwrap().all().await.unwrap_err();
        connector.end_well().await;
        error.message().to_owned()
    })
}

const OUTSIDE: &str = "is neither at or below the root \"/srv/data\" nor a directory above it";

#[test]
fn a_record_whose_path_is_none_fails_the_scan_that_returns_the_error() {
    for (path, what) in [
        ("srv/data/a", "is relative; paths in a snapshot begin with /"),
        ("/srv/data/../a", "holds \"..\""),
        ("/srv/data/a\0b", "holds a NUL"),
        ("/srv//data", "is not clean: it has an empty part"),
        ("/srv/data/./a", "is not clean: it holds \".\""),
    ] {
        assert_eq!(import_ends(&format!("f {path} x")), format!("path {path:?} {what}"));
    }
    assert_eq!(import_ends("d "), "path \"\" is empty");
    assert_eq!(import_ends("d /srv/database"), format!("record \"/srv/database\" {OUTSIDE}"));
    assert_eq!(import_ends("f /srv x"), format!("record \"/srv\" {OUTSIDE}"));
    assert_eq!(import_ends("l /etc/passwd x"), format!("record \"/etc/passwd\" {OUTSIDE}"));
}

#[test]
fn a_path_that_comes_twice_fails_the_scan_that_returns_the_error() {
    let text = "record \"/srv/data/a\" was emitted before in this scan";
    assert_eq!(import_ends("f /srv/data/a x\nd /srv/data/d\nf /srv/data/a y"), text);
    assert_eq!(import_ends("d /srv/data/a\nf /srv/data/a y"), text);
}

#[test]
fn a_scan_may_go_on_after_a_refused_record_which_is_not_sent() {
    run(async {
        let emit = "d /srv/data\nf rel x\nf /srv/data/a x\nf /srv/data/a y\nl /srv/data/../l x\nd /etc\nf /srv/data/b z";
        let connector = ready(Role::Importer, &[("root", "/srv/data"), ("refused", "note"), ("emit", emit)]).await;
        let records = connector.import().await.unwrap().all().await.unwrap();
        let seen: Vec<_> = records.iter().map(|r| (r.pathname.as_str(), r.error.as_str())).collect();
        let outside = format!("record \"/etc\" {OUTSIDE}");
        let expected = [
            ("/srv/data", ""),
            ("/refused", "path \"rel\" is relative; paths in a snapshot begin with /"),
            ("/srv/data/a", ""),
            ("/refused", "record \"/srv/data/a\" was emitted before in this scan"),
            ("/refused", "path \"/srv/data/../l\" holds \"..\""),
            ("/refused", outside.as_str()),
            ("/srv/data/b", ""),
            // Made up, since nobody emitted them.
            ("/", ""),
            ("/srv", ""),
        ];
        assert_eq!(seen, expected);
        connector.end_well().await;
    });
}

#[test]
fn the_host_can_open_only_what_was_emitted() {
    run(async {
        let connector = ready(Role::Importer, &[("emit", "d /d\nx /a user.color red")]).await;
        let mut import = connector.import().await.unwrap();
        while import.next().await.unwrap().is_some() {}
        let open = async |path: &str, xattr: Option<&str>| match connector.read(path, xattr).await {
            Ok(content) => panic!("{content:?}"),
            Err(error) => error.message().to_owned(),
        };
        let gone = "no content was emitted under this path, or its record was acknowledged already";
        assert_eq!(open("/b", None).await, format!("not found: \"/b\": {gone}"));
        assert_eq!(open("/d", None).await, format!("not found: \"/d\": {gone}"));
        let attribute =
            "no content of attribute \"user.size\" was emitted under this path, or its record was acknowledged already";
        assert_eq!(open("/a", Some("user.size")).await, format!("not found: \"/a\": {attribute}"));
        assert_eq!(open("a", None).await, "path \"a\" is relative; paths in a snapshot begin with /");
        assert_eq!(open("/../a", None).await, "path \"/../a\" holds \"..\"");
        let without = connector.importer().open(importer::OpenRequest { record: None }).await.unwrap_err();
        assert_eq!(without.message(), "Open came without a record");
        assert_eq!(connector.read("/a", Some("user.color")).await.unwrap(), b"red");
        connector.end_well().await;
    });
}

#[test]
fn a_second_import_while_one_runs_is_refused() {
    run(async {
        let ask = Ask::new();
        let connector = stray(Role::Importer).await;
        let init = tokio::spawn({
            let option = ask.option();
            async move {
                connector.init(Role::Importer, &[("ask", &option)]).await.unwrap();
                connector
            }
        });
        ask.expect("init").await.go().await;
        ask.expect("location").await.go().await;
        let connector = init.await.unwrap();
        let first = connector.import().await.unwrap();
        let scan = ask.expect("scan").await;
        let error = connector.import().await.err().unwrap();
        assert_eq!(error.message(), "Import came while another Import was running");
        let (records, ()) = tokio::join!(first.all(), async {
            scan.go().await;
            ask.expect("scanned").await.go().await;
        });
        assert_eq!(records.unwrap().len(), 0);
        connector.end_well().await;
    });
}

// ---- what a restore may not be made to write --------------------------------------------------------------------------------

#[test]
fn a_path_that_leads_out_is_refused_before_any_call() {
    run(async {
        let ask = Ask::new();
        let connector = stray(Role::Exporter).await;
        let config = [("ask", ask.option())];
        let config = config.each_ref().map(|(name, value)| (*name, value.as_str()));
        let (init, ()) = tokio::join!(connector.init(Role::Exporter, &config), async {
            ask.expect("init").await.go().await;
            ask.expect("location").await.go().await;
        });
        init.unwrap();
        let export = connector.export().await.unwrap();
        export.file(file("/../etc/passwd", 1), b"x");
        export.record(directory("/a/.."));
        export.record(symlink("link", "/"));
        export.file(file("/a\0b", 1), b"x");
        export.file(file("", 0), b"");
        export.file(xattr("/a/../b", "user.x"), b"x");
        export.record(Record { pathname: "/nothing".into(), ..Record::default() });
        export.record(Record { pathname: "/lost".into(), error: "it could not be read".into(), ..Record::default() });
        let mut broken = file("/when", 0);
        broken.file_info.as_mut().unwrap().mod_time.as_mut().unwrap().nanos = -1;
        export.file(broken, b"");
        export.record(directory("/good"));
        // The first call of all is the one for the good record.
        ask.expect("create_directory /good").await.go().await;
        let (results, ()) = tokio::join!(export.finish(), async {
            ask.expect("set_permissions /good 755").await.go().await;
        });
        let expected = [
            ("", "path \"\" is empty"),
            ("/../etc/passwd", "path \"/../etc/passwd\" holds \"..\""),
            ("/a\0b", "path \"/a\\0b\" holds a NUL"),
            ("/a/..", "path \"/a/..\" holds \"..\""),
            ("/a/../b:user.x", "path \"/a/../b\" holds \"..\""),
            ("/good", ""),
            ("/lost", "it could not be read"),
            ("/nothing", "the host sent a record without file information"),
            ("/when", "the host sent a time with -1 nanoseconds"),
            ("link", "path \"link\" is relative; paths in a snapshot begin with /"),
        ];
        let results = results.unwrap();
        assert_eq!(results.iter().map(|(path, error)| (path.as_str(), error.as_str())).collect::<Vec<_>>(), expected);
        connector.end_well().await;
    });
}

#[test]
fn what_a_host_may_not_send_in_an_export_fails_it() {
    run(async {
        let connector = ready(Role::Exporter, &[]).await;
        let export = connector.export().await.unwrap();
        export.chunk(b"of nothing");
        assert_eq!(export.finish().await.unwrap_err().message(), "the host sent a chunk that belongs to no record");

        let export = connector.export().await.unwrap();
        export.record(file("/a", 3));
        export.chunk(b"a");
        export.record(file("/b", 3));
        assert_eq!(export.finish().await.unwrap_err().message(), "the host sent the record of \"/b\" in the middle of a file");
        connector.end_well().await;
    });
}

// ---- objects ----------------------------------------------------------------------------------------------------------------

#[test]
fn a_mac_or_a_kind_that_is_none_is_refused() {
    run(async {
        let connector = ready(Role::Store, &[]).await;
        let get = async |mac: &'static [u8], kind: i32| {
            let request = store::GetRequest { mac: mac.into(), r#type: kind, ..Default::default() };
            connector.store().get(request).await.unwrap_err().message().to_owned()
        };
        assert_eq!(get(&[1; 32], 9).await, "there is no resource of kind 9");
        assert_eq!(get(&[1; 32], 0).await, "there is no resource of kind 0");
        assert_eq!(get(&[1; 31], 1).await, "a MAC has 32 bytes, this one has 31");
        let delete = store::DeleteRequest { mac: b"short"[..].into(), r#type: 1, flags: 0 };
        assert_eq!(connector.store().delete(delete).await.unwrap_err().message(), "a MAC has 32 bytes, this one has 5");
        let list = connector.list(StorageResource::Undefined).await.unwrap_err();
        assert_eq!(list.message(), "there is no resource of kind 0");
        connector.end_well().await;
    });
}

#[test]
fn an_object_that_is_not_there_is_told_by_a_prefix_that_is_the_same_everywhere() {
    run(async {
        let connector = ready(Role::Store, &[]).await;
        let mac = "ab".repeat(32);
        let text = format!("not found: packfile {mac}: packfile ab");
        assert_eq!(connector.get([0xab; 32], Packfile).await.unwrap_err().message(), text);
        let delete = store::DeleteRequest { mac: [0xab; 32].to_vec().into(), r#type: 3, flags: 0 };
        assert_eq!(connector.store().delete(delete).await.unwrap_err().message(), format!("not found: lock {mac}: lock ab"));
        connector.end_well().await;
    });
}

// ---- a connector that falls over --------------------------------------------------------------------------------------------

/// What the calls that lead to a point of `stray`'s end with.
async fn call(connector: &Connector, role: Role, point: &str) -> String {
    let calls = async {
        match (role, point) {
            (_, "ping") => connector.ping(role).await,
            (_, "close") => connector.close(role).await,
            (Role::Importer, "scan" | "scan_next") => connector.import().await?.all().await.map(drop),
            (Role::Importer, _) => {
                let mut import = connector.import().await?;
                while import.next().await?.is_some() {}
                connector.read("/a", None).await.map(drop)
            }
            (Role::Exporter, _) => {
                let export = connector.export().await?;
                export.record(directory("/d"));
                export.file(file("/d/f", 3), b"abc");
                export.record(symlink("/d/l", "x"));
                let results = export.finish().await?;
                match results.into_iter().find(|(_, error)| !error.is_empty()) {
                    Some((_, error)) => Err(Status::unknown(error)),
                    None => Ok(()),
                }
            }
            (Role::Store, "create") => connector.store().create(store::CreateRequest::default()).await.map(drop),
            (Role::Store, "open") => connector.store().open(store::OpenRequest {}).await.map(drop),
            (Role::Store, "put") => connector.put_all([1; 32], Packfile, b"abc").await.map(drop),
            (Role::Store, "get" | "read") => {
                connector.put_all([2; 32], Packfile, b"abc").await?;
                connector.get([2; 32], Packfile).await.map(drop)
            }
            (Role::Store, _) => connector.list(Packfile).await.map(drop),
        }
    };
    calls.await.err().map(|error| error.message().to_owned()).unwrap_or_default()
}

const POINTS: [(Role, &str); 17] = [
    (Role::Importer, "ping"),
    (Role::Importer, "scan"),
    (Role::Importer, "open"),
    (Role::Importer, "read"),
    (Role::Importer, "close"),
    (Role::Exporter, "ping"),
    (Role::Exporter, "create_directory"),
    (Role::Exporter, "store_file"),
    (Role::Exporter, "set_permissions"),
    (Role::Exporter, "create_link"),
    (Role::Store, "ping"),
    (Role::Store, "create"),
    (Role::Store, "open"),
    (Role::Store, "put"),
    (Role::Store, "get"),
    (Role::Store, "read"),
    (Role::Store, "list"),
];

#[test]
fn a_panic_is_the_error_of_its_call_and_the_instance_is_refused_further_work() {
    for (role, point) in POINTS {
        run(async {
            let does = format!("panic:{point}");
            let connector = ready(role, &[("do", &does), ("text", "oh no"), ("emit", "f /a x")]).await;
            let text = call(&connector, role, point).await;
            // An export's other records are answered with the refusal, and which of them comes first is not said.
            let in_call = match point {
                "read" if role == Role::Importer => "open".to_owned(),
                "read" => "get".to_owned(),
                point => point.to_owned(),
            };
            let panicked = format!("the connector panicked in {in_call}: oh no");
            assert!(text.ends_with(&panicked), "{role} in {point}: {text:?}, not {panicked:?}");
            if point != "close" {
                let refused = connector.ping(role).await.unwrap_err();
                assert!(refused.message().starts_with("the connector is not used any further: "), "{refused:?}");
                assert!(refused.message().ends_with(&panicked), "{refused:?}");
                if role == Role::Store {
                    assert_eq!(connector.list(Packfile).await.unwrap_err().message(), refused.message());
                }
                connector.close(role).await.unwrap();
            }
            connector.end_well().await;
        });
    }
}

#[test]
fn a_panic_in_the_constructor_is_its_error() {
    for role in Role::ALL {
        let config = [("location", "stray:///"), ("do", "panic:init"), ("text", "no such luck")];
        assert_eq!(refused(role, &config), "the connector panicked in init: no such luck");
        let config = [("location", "stray:///"), ("do", "panic:location"), ("text", "nowhere")];
        assert_eq!(refused(role, &config), "the connector panicked in location: nowhere");
    }
}

#[test]
fn a_panic_of_an_asynchronous_or_a_stepwise_scan_is_its_error_too() {
    for (shape, point, call_name) in [("async", "scan", "scan"), ("stepwise", "scan_next", "scan")] {
        run(async {
            let connector = Start::new(STRAY).arg("importer").env("STRAY_SHAPE", shape).go().await;
            let does = format!("panic:{point}");
            connector.init(Role::Importer, &[("do", &does), ("text", "oh")]).await.unwrap();
            let text = call(&connector, Role::Importer, point).await;
            assert_eq!(text, format!("the connector panicked in {call_name}: oh"));
            connector.end_well().await;
        });
    }
}

#[test]
fn a_segmentation_fault_or_an_abort_ends_the_process_and_the_call_never_hangs() {
    for (role, point) in POINTS.into_iter().chain(Role::ALL.map(|role| (role, "init"))) {
        for (what, signal) in [("segfault", Signal::SEGV), ("abort", Signal::ABORT)] {
            run(async {
                let mut connector = stray(role).await;
                let does = format!("{what}:{point}");
                let made = connector.init(role, &[("do", &does), ("emit", "f /a x")]).await;
                match point {
                    "init" => assert!(made.is_err()),
                    _ => assert_ne!(call(&connector, role, point).await, "", "{role}: {what} in {point}"),
                }
                assert_eq!(connector.wait().await.signal(), Some(signal.as_raw()), "{role}: {what} in {point}");
            });
        }
    }
}
