//! What the library does for every connector: seen from the host on one side and from the author's calls on the other.

use system_tests::answers::{directory, fifo, file, hard_link, symlink, xattr};
use system_tests::ask::{Ask, Call};
use system_tests::host::{Connector, Export, Role, Start};
use system_tests::run;
use system_tests::wire::plakar::connectors::Record;
use system_tests::wire::store::StorageResource::{Packfile, State};
use tonic::{Code, Status};

const STRAY: &str = env!("CARGO_BIN_EXE_stray");

fn stray(role: Role) -> Start {
    Start::new(STRAY).arg(role)
}

/// A connector each of whose calls the test decides, from the first on after it was made.
async fn asking(start: &Start, role: Role, config: &[(&str, &str)]) -> (Connector, Ask) {
    let ask = Ask::new();
    let connector = start.go().await;
    let option = ask.option();
    let config = [config, &[("ask", &option)]].concat();
    let (made, ()) = tokio::join!(connector.init(role, &config), async {
        ask.expect("init").await.go().await;
        ask.expect("location").await.go().await;
    });
    made.unwrap();
    (connector, ask)
}

async fn exporting(config: &[(&str, &str)]) -> (Connector, Ask, Export) {
    let (connector, ask) = asking(&stray(Role::Exporter), Role::Exporter, config).await;
    let export = connector.export().await.unwrap();
    (connector, ask, export)
}

fn done(path: &str) -> (String, String) {
    (path.to_owned(), String::new())
}

fn failed(path: &str, error: &str) -> (String, String) {
    (path.to_owned(), error.to_owned())
}

async fn set_permissions(ask: &Ask, what: &str) {
    ask.expect(&format!("set_permissions {what}")).await.go().await;
}

/// Lets a file be stored, and its permissions be set.
async fn store(ask: &Ask, path: &str) -> Vec<String> {
    let said = ask.expect(&format!("store_file {path}")).await.go().await;
    set_permissions(ask, &format!("{path} 644")).await;
    said
}

// ---- hard links -------------------------------------------------------------------------------------------------------------

#[test]
fn of_a_file_with_several_names_the_first_is_stored_and_the_others_are_linked() {
    run(async {
        let (connector, ask, mut export) = exporting(&[]).await;
        export.file(hard_link("/a", 3, 7, 3), b"abc");
        export.file(file("/z", 3), b"xyz");
        assert_eq!(ask.at_once(2).await.into_iter().map(go).collect::<Vec<_>>().len(), 2);
        // Whichever of both comes first.
        for mut call in ask.at_once(2).await {
            assert!(call.what.starts_with("set_permissions /"));
            call.tell("go").await;
        }
        export.result().await.unwrap().unwrap();
        export.result().await.unwrap().unwrap();
        export.file(hard_link("/b", 3, 7, 3), b"abc");
        ask.expect("create_link /b = /a").await.go().await;
        export.file(hard_link("/c", 3, 7, 3), b"abc");
        ask.expect("create_link /c = /a").await.go().await;
        assert_eq!(export.finish().await.unwrap(), [done("/b"), done("/c")]);
        connector.end_well().await;
    });
}

/// Lets a call go on without waiting for its end.
fn go(mut call: Call) -> tokio::task::JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        call.tell("go").await;
        call.end().await
    })
}

#[test]
fn a_link_is_made_only_after_the_file_it_names_was_stored() {
    run(async {
        let (connector, ask, export) = exporting(&[]).await;
        export.file(hard_link("/a", 3, 7, 2), b"abc");
        export.file(hard_link("/b", 3, 7, 2), b"abc");
        // Were the link made early, it would ask before the first file's permissions are set.
        assert_eq!(store(&ask, "/a").await.last().unwrap(), "complete 3");
        let (results, _) = tokio::join!(export.finish(), async { ask.expect("create_link /b = /a").await.go().await });
        assert_eq!(results.unwrap(), [done("/a"), done("/b")]);
        connector.end_well().await;
    });
}

#[test]
fn where_a_link_fails_the_copy_is_stored() {
    run(async {
        let (connector, ask, export) = exporting(&[]).await;
        export.file(hard_link("/a", 3, 7, 2), b"abc");
        export.file(hard_link("/b", 3, 7, 2), b"abc");
        store(&ask, "/a").await;
        let mut link = ask.expect("create_link /b = /a").await;
        link.tell("fail no links here").await;
        link.end().await;
        let (results, said) = tokio::join!(export.finish(), store(&ask, "/b"));
        assert_eq!(said.last().unwrap(), "complete 3");
        assert_eq!(results.unwrap(), [done("/a"), done("/b")]);
        connector.end_well().await;
    });
}

#[test]
fn where_links_are_not_offered_copies_are_stored() {
    run(async {
        let start = stray(Role::Exporter).env("STRAY_SHAPE", "stepwise");
        let connector = start.go().await;
        connector.init(Role::Exporter, &[]).await.unwrap();
        let export = connector.export().await.unwrap();
        export.file(hard_link("/a", 3, 7, 2), b"abc");
        export.file(hard_link("/b", 3, 7, 2), b"abc");
        export.record(symlink("/l", "x"));
        let expected = [done("/a"), done("/b"), failed("/l", "create_link: not supported by this connector")];
        assert_eq!(export.finish().await.unwrap(), expected);
        connector.end_well().await;
    });
}

#[test]
fn where_the_first_name_could_not_be_stored_the_next_is() {
    run(async {
        let (connector, ask, export) = exporting(&[]).await;
        export.file(hard_link("/a", 3, 7, 2), b"abc");
        export.file(hard_link("/b", 3, 7, 2), b"abc");
        let mut first = ask.expect("store_file /a").await;
        first.tell("fail no room").await;
        first.end().await;
        let (results, _) = tokio::join!(export.finish(), store(&ask, "/b"));
        assert_eq!(results.unwrap(), [failed("/a", "no room"), done("/b")]);
        connector.end_well().await;
    });
}

#[test]
fn files_that_only_look_alike_are_stored_each_for_itself() {
    run(async {
        let (connector, ask, export) = exporting(&[("concurrency", "1")]).await;
        let other_size = hard_link("/b", 4, 7, 9);
        let mut other_time = hard_link("/c", 3, 7, 9);
        other_time.file_info.as_mut().unwrap().mod_time.as_mut().unwrap().nanos += 1;
        let one_name = hard_link("/d", 3, 7, 1);
        let no_number = hard_link("/e", 3, 0, 9);
        let mut other_device = hard_link("/f", 3, 7, 9);
        other_device.file_info.as_mut().unwrap().dev = 2;
        export.file(hard_link("/a", 3, 7, 9), b"abc");
        for record in [other_size, other_time, one_name, no_number.clone(), other_device] {
            export.file(record, b"abc");
        }
        export.file(Record { pathname: "/g".into(), ..no_number }, b"abc");
        let (results, ()) = tokio::join!(export.finish(), async {
            for path in ["/a", "/b", "/c", "/d", "/e", "/f", "/g"] {
                store(&ask, path).await;
            }
        });
        assert_eq!(results.unwrap().len(), 7);
        connector.end_well().await;
    });
}

// ---- directories ------------------------------------------------------------------------------------------------------------

#[test]
fn directory_permissions_come_last_and_the_deepest_first() {
    run(async {
        let (connector, ask, export) = exporting(&[("concurrency", "1")]).await;
        let read_only = |path: &str| {
            let mut record = directory(path);
            record.file_info.as_mut().unwrap().mode = 1 << 31 | 0o555;
            record
        };
        for path in ["/", "/a", "/a/b", "/a/b/c"] {
            export.record(read_only(path));
            ask.expect(&format!("create_directory {path}")).await.go().await;
        }
        export.record(read_only("/z"));
        export.file(file("/a/b/c/f", 1), b"x");
        export.record(symlink("/a/l", "x"));
        export.record(fifo("/a/p"));
        let mut others = Vec::new();
        for _ in ["/z", "f", "f's permissions", "l", "p", "p's permissions"] {
            let call = ask.next().await;
            others.push(call.what.clone());
            call.go().await;
        }
        others.sort();
        let expected = [
            "create_directory /z",
            "create_link /a/l -> x",
            "create_special /a/p 10600",
            "set_permissions /a/b/c/f 644",
            "set_permissions /a/p 600",
            "store_file /a/b/c/f",
        ];
        assert_eq!(others, expected);
        let (results, ()) = tokio::join!(export.finish(), async {
            set_permissions(&ask, "/a/b/c 555").await;
            set_permissions(&ask, "/a/b 555").await;
            let mut same_depth = Vec::new();
            for _ in 0..2 {
                let call = ask.next().await;
                same_depth.push(call.what.clone());
                call.go().await;
            }
            same_depth.sort();
            assert_eq!(same_depth, ["set_permissions /a 555", "set_permissions /z 555"]);
            set_permissions(&ask, "/ 555").await;
        });
        assert!(results.unwrap().iter().all(|(_, error)| error.is_empty()));
        connector.end_well().await;
    });
}

#[test]
fn nothing_below_a_directory_begins_before_its_call_has_ended() {
    run(async {
        let (connector, ask, export) = exporting(&[]).await;
        export.record(directory("/d"));
        let held = ask.expect("create_directory /d").await;
        export.record(directory("/d/e"));
        export.file(file("/d/f", 1), b"x");
        export.record(symlink("/d/l", "x"));
        export.record(fifo("/d/e/p"));
        // What does not lie in it goes on; had any of the others begun, it would have asked first.
        export.file(file("/other", 1), b"x");
        store(&ask, "/other").await;
        held.go().await;
        let mut calls = Vec::new();
        for call in ask.at_once(3).await {
            calls.push(call.what.clone());
            if call.what.contains("/d/e") {
                // The FIFO waits for its own directory.
                let (_, ()) = tokio::join!(call.go(), async {
                    ask.expect("create_special /d/e/p 10600").await.go().await;
                    set_permissions(&ask, "/d/e/p 600").await;
                });
            } else if call.what.contains("/d/f") {
                call.go().await;
                set_permissions(&ask, "/d/f 644").await;
            } else {
                call.go().await;
            }
        }
        assert_eq!(calls, ["create_directory /d/e", "create_link /d/l -> x", "store_file /d/f"]);
        let (results, ()) = tokio::join!(export.finish(), async {
            set_permissions(&ask, "/d/e 755").await;
            set_permissions(&ask, "/d 755").await;
        });
        assert_eq!(results.unwrap().len(), 6);
        connector.end_well().await;
    });
}

#[test]
fn a_directory_that_could_not_be_made_is_reported_and_its_permissions_are_left_alone() {
    run(async {
        let (connector, ask, export) = exporting(&[]).await;
        export.record(directory("/d"));
        export.file(file("/d/f", 1), b"x");
        let mut made = ask.expect("create_directory /d").await;
        made.tell("fail a file is in the way").await;
        made.end().await;
        let mut stored = ask.expect("store_file /d/f").await;
        stored.tell("fail there is no directory").await;
        stored.end().await;
        let expected = [failed("/d", "a file is in the way"), failed("/d/f", "there is no directory")];
        assert_eq!(export.finish().await.unwrap(), expected);
        connector.end_well().await;
    });
}

// ---- calls side by side -----------------------------------------------------------------------------------------------------

#[test]
fn as_many_files_are_stored_at_once_as_the_exporter_allows_and_no_more() {
    for limit in [1, 3, 8] {
        run(async {
            let (connector, ask, export) = exporting(&[("concurrency", &limit.to_string())]).await;
            for n in 0..2 * limit {
                export.file(file(&format!("/{n}"), 1), b"x");
            }
            // All of these are inside of store_file at one time: none is let go before all have begun.
            let together = ask.at_once(limit).await;
            let (results, ()) = tokio::join!(export.finish(), async {
                let mut running: Vec<_> = together.into_iter().map(go).collect();
                // The other files, and the permissions of each.
                for _ in limit..4 * limit {
                    running.push(go(ask.next().await));
                }
                for call in running {
                    call.await.unwrap();
                }
            });
            assert_eq!(results.unwrap().len(), 2 * limit);
            let (closed, close) = tokio::join!(connector.close(Role::Exporter), async {
                let close = ask.next().await;
                let what = close.what.clone();
                close.go().await;
                what
            });
            closed.unwrap();
            assert_eq!(close, format!("close at most {limit} calls at once"));
        });
    }
}

#[test]
fn a_large_file_flows_while_it_comes_and_small_ones_before_it_go_on() {
    run(async {
        let (connector, ask, mut export) = exporting(&[]).await;
        export.file(file("/small", 1), b"x");
        let small = ask.expect("store_file /small").await;
        export.record(file("/large", 8 << 20));
        for _ in 0..2 {
            export.chunk(&vec![7; 1 << 20]);
        }
        // The host has not sent all of it, and the call runs already.
        let mut large = ask.expect("store_file /large").await;
        large.tell("go").await;
        assert!(large.says().await.unwrap().starts_with("got "));
        small.go().await;
        set_permissions(&ask, "/small 644").await;
        assert_eq!(export.result().await.unwrap().unwrap(), done("/small"));
        for _ in 2..8 {
            export.chunk(&vec![7; 1 << 20]);
        }
        export.chunk(b"");
        assert_eq!(large.end().await.last().unwrap(), "complete 8388608");
        let (results, ()) = tokio::join!(export.finish(), set_permissions(&ask, "/large 644"));
        assert_eq!(results.unwrap(), [done("/large")]);
        connector.end_well().await;
    });
}

// ---- contents that end early, and calls that do not read --------------------------------------------------------------------

#[test]
fn a_file_that_the_host_broke_off_is_truncated_for_the_exporter_and_the_host() {
    for (size, sent) in [(3, 1), (3 << 20, 2 << 20)] {
        run(async {
            let (connector, ask, mut export) = exporting(&[]).await;
            export.record(file("/cut", size));
            vec![1; sent].chunks(1 << 20).for_each(|chunk| export.chunk(chunk));
            export.half_close();
            let said = ask.expect("store_file /cut").await.go().await;
            let broke_off = "the host broke off before the end: what came is truncated";
            assert_eq!(said.last().unwrap(), &format!("Truncated: {broke_off}"));
            assert_eq!(export.finish().await.unwrap(), [failed("/cut", broke_off)]);
            connector.end_well().await;
        });
    }
}

#[test]
fn a_file_that_is_cut_by_the_hosts_end_is_truncated_for_the_exporter() {
    run(async {
        let (connector, ask, export) = exporting(&[]).await;
        export.record(file("/cut", 3 << 20));
        export.chunk(&vec![1; 1 << 20]);
        export.chunk(&vec![1; 1 << 20]);
        let mut call = ask.expect("store_file /cut").await;
        call.tell("go").await;
        assert!(call.says().await.unwrap().starts_with("got "));
        connector.hang_up().await;
        assert!(call.end().await.last().unwrap().starts_with("Truncated: the host broke off"));
        connector.end_well().await;
    });
}

#[test]
fn success_without_having_read_everything_is_an_error_of_that_file() {
    run(async {
        let (connector, ask, export) = exporting(&[]).await;
        export.file(file("/lazy", 3), b"abc");
        let mut call = ask.expect("store_file /lazy").await;
        call.tell("lazy").await;
        call.end().await;
        export.file(file("/good", 3), b"abc");
        store(&ask, "/good").await;
        let lazy = "store_file returned success after 0 bytes of 3, before it had read everything";
        assert_eq!(export.finish().await.unwrap(), [done("/good"), failed("/lazy", lazy)]);
        connector.end_well().await;
    });
}

#[test]
fn a_large_file_that_nobody_reads_does_not_stop_the_export() {
    run(async {
        for does in ["lazy:store_file", "fail:store_file"] {
            let connector = stray(Role::Exporter).go().await;
            connector.init(Role::Exporter, &[("do", does), ("text", "no")]).await.unwrap();
            let export = connector.export().await.unwrap();
            export.file(file("/large", 20 << 20), &vec![3; 20 << 20]);
            export.record(directory("/after"));
            let results = export.finish().await.unwrap();
            assert_eq!(results[0], done("/after"));
            let lazy = "store_file returned success after 0 bytes of 20971520, before it had read everything";
            assert_eq!(results[1], failed("/large", if does.starts_with("lazy") { lazy } else { "no" }));
            connector.end_well().await;
        }
    });
}

#[test]
fn an_object_that_the_host_broke_off_is_truncated_for_the_store_and_never_listed() {
    run(async {
        let (connector, ask) = asking(&stray(Role::Store), Role::Store, &[]).await;
        let mut put = connector.put([1; 32], Packfile);
        put.chunk(b"abc");
        let mut call = ask.expect("put packfile 01").await;
        call.tell("go").await;
        assert_eq!(call.says().await.unwrap(), "got 3");
        put.cancel();
        let broke_off = "Truncated: the host broke off before the end: what came is truncated";
        assert_eq!(call.end().await, [broke_off]);
        let (list, _) = tokio::join!(connector.list(Packfile), async { ask.expect("list packfile").await.go().await });
        assert!(list.unwrap().is_empty());
        connector.end_well().await;
    });
}

#[test]
fn a_put_that_the_host_abandons_blocks_no_other() {
    run(async {
        let (connector, ask) = asking(&stray(Role::Store), Role::Store, &[]).await;
        // Neither ended nor cancelled, as Plakar leaves them when its own reader fails.
        let mut abandoned = Vec::new();
        for n in 0..20 {
            let mut put = connector.put([n; 32], Packfile);
            put.chunk(&vec![n; 2 << 20]);
            abandoned.push((put, ask.expect(&format!("put packfile {n:02x}")).await));
        }
        let content = vec![1; 5 << 20];
        let (written, _) = tokio::join!(connector.put_all([0xaa; 32], Packfile, &content), async {
            ask.expect("put packfile aa").await.go().await
        });
        assert_eq!(written.unwrap(), 5 << 20);
        connector.end_well().await;
    });
}

#[test]
fn a_put_that_succeeds_without_having_read_everything_is_an_error() {
    run(async {
        let connector = stray(Role::Store).go().await;
        connector.init(Role::Store, &[("do", "lazy:put")]).await.unwrap();
        let error = connector.put_all([0xab; 32], Packfile, b"abc").await.unwrap_err();
        let mac = "ab".repeat(32);
        let text = format!("packfile {mac}: put returned success after 0 bytes, before it had read everything");
        assert_eq!(error.message(), text);
        // Nor does a large one that nobody reads hang.
        connector.put_all([0xab; 32], Packfile, &vec![1; 20 << 20]).await.unwrap_err();
        connector.end_well().await;
    });
}

#[test]
fn a_put_that_fails_early_is_answered_with_its_error() {
    run(async {
        let (connector, ask) = asking(&stray(Role::Store), Role::Store, &[]).await;
        let mut put = connector.put([0xab; 32], Packfile);
        put.chunk(b"abc");
        let mut call = ask.expect("put packfile ab").await;
        call.tell("fail the disk is full").await;
        call.end().await;
        let mac = "ab".repeat(32);
        assert_eq!(put.finish().await.unwrap_err().message(), format!("packfile {mac}: the disk is full"));
        connector.end_well().await;
    });
}

#[test]
fn a_listing_that_the_host_cannot_take_is_an_error_and_the_longest_that_it_can_is_sent() {
    run(async {
        // 4 MiB in one message, 34 bytes each.
        for (many, taken) in [("123361", true), ("123362", false)] {
            let connector = stray(Role::Store).go().await;
            connector.init(Role::Store, &[("count", many)]).await.unwrap();
            let text = "the store holds 123362 objects of kind state; Plakar takes a list of 123361 at the most";
            match connector.list(State).await {
                Ok(macs) => assert!(taken && macs.len() == 123_361),
                Err(error) => assert!(!taken && error.message() == text, "{error:?}"),
            }
            connector.end_well().await;
        }
    });
}

// ---- parts of packfiles -----------------------------------------------------------------------------------------------------

const PART: u64 = 1000;
const STRIDE: u64 = 1100;

/// A store with one packfile of which parts were asked for in order, as many as are answered one by one.
async fn with_packfile() -> (Connector, Ask, Vec<u8>) {
    let (connector, ask) = asking(&stray(Role::Store), Role::Store, &[]).await;
    let content: Vec<u8> = (0..20_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
    let (written, _) =
        tokio::join!(connector.put_all([1; 32], Packfile, &content), async { ask.expect("put packfile 01").await.go().await });
    written.unwrap();
    for n in 0..3 {
        let (part, _) = tokio::join!(part(&connector, n), async {
            ask.expect(&format!("get packfile 01 {}+1000", n * STRIDE)).await.go().await
        });
        assert_eq!(part.unwrap(), content[(n * STRIDE) as usize..][..PART as usize]);
    }
    (connector, ask, content)
}

async fn part(connector: &Connector, n: u64) -> Result<Vec<u8>, Status> {
    connector.get_part([1; 32], Packfile, Some((n * STRIDE, PART as u32))).await
}

#[test]
fn parts_of_a_packfile_that_come_in_order_are_answered_out_of_a_larger_one() {
    run(async {
        let (connector, ask, content) = with_packfile().await;
        let expected = |n| &content[(n * STRIDE) as usize..][..PART as usize];
        // As many bytes as were asked for, from where the next part begins.
        let (fourth, _) = tokio::join!(part(&connector, 3), async { ask.expect("get packfile 01 3300+4000").await.go().await });
        assert_eq!(fourth.unwrap(), expected(3));
        for n in [5, 4, 4] {
            assert_eq!(part(&connector, n).await.unwrap(), expected(n));
        }
        let (next, _) = tokio::join!(part(&connector, 7), async { ask.expect("get packfile 01 7700+8000").await.go().await });
        assert_eq!(next.unwrap(), expected(7));
        // What was deleted is gone at once.
        let (deleted, _) =
            tokio::join!(connector.delete([1; 32], Packfile), async { ask.expect("delete packfile 01").await.go().await });
        deleted.unwrap();
        let (gone, _) = tokio::join!(part(&connector, 8), async { ask.expect("get packfile 01 8800+1000").await.go().await });
        assert_eq!(gone.unwrap_err().code(), Code::NotFound);
        connector.end_well().await;
    });
}

#[test]
fn where_a_larger_part_fails_those_that_the_host_wants_are_asked_for_one_by_one() {
    run(async {
        let (connector, ask, content) = with_packfile().await;
        let (together, ()) = tokio::join!(async { tokio::join!(part(&connector, 3), part(&connector, 4)) }, async {
            let mut larger = ask.expect("get packfile 01 3300+4000").await;
            larger.tell("fail too much at once").await;
            larger.end().await;
            // The second may have come before the larger one failed, or after.
            for call in ask.at_once(2).await {
                assert!(["get packfile 01 3300+1000", "get packfile 01 4400+1000"].contains(&&*call.what), "{}", call.what);
                call.go().await;
            }
        });
        assert_eq!((together.0.unwrap(), together.1.unwrap()), (content[3300..4300].to_vec(), content[4400..5400].to_vec()));
        connector.end_well().await;
    });
}

#[test]
fn a_part_past_the_end_of_a_packfile_is_as_the_store_answers_it() {
    run(async {
        let (connector, ask, content) = with_packfile().await;
        let at = |offset, length| connector.get_part([1; 32], Packfile, Some((offset, length)));
        // The larger part ends where the packfile does.
        let (part, _) = tokio::join!(at(14_000, 5000), async { ask.expect("get packfile 01 14000+8000").await.go().await });
        assert_eq!(part.unwrap(), content[14_000..19_000]);
        assert_eq!(at(19_000, 900).await.unwrap(), content[19_000..19_900]);
        let (part, ()) = tokio::join!(at(19_900, 500), async {
            ask.expect("get packfile 01 19900+9400").await.go().await;
            ask.expect("get packfile 01 19900+500").await.go().await;
        });
        assert_eq!(part.unwrap(), content[19_900..]);
        connector.end_well().await;
    });
}

// ---- extended attributes ----------------------------------------------------------------------------------------------------

#[test]
fn attributes_are_set_after_everything_they_could_belong_to() {
    run(async {
        let (connector, ask, export) = exporting(&[("flags", "32")]).await;
        export.record(directory("/d"));
        export.file(file("/d/f", 1), b"x");
        export.file(xattr("/d/f", "user.colour"), b"red");
        export.file(xattr("/d", "user.colour"), b"");
        ask.expect("create_directory /d").await.go().await;
        let held = ask.expect("store_file /d/f").await;
        held.go().await;
        set_permissions(&ask, "/d/f 644").await;
        let mut set = Vec::new();
        for call in ask.at_once(2).await {
            set.push(call.what.clone());
            call.go().await;
        }
        assert_eq!(set, ["set_xattr /d user.colour=", "set_xattr /d/f user.colour=red"]);
        let (results, ()) = tokio::join!(export.finish(), set_permissions(&ask, "/d 755"));
        assert_eq!(results.unwrap(), [done("/d"), done("/d/f"), done("/d/f:user.colour"), done("/d:user.colour")]);
        connector.end_well().await;
    });
}

// ---- the importer -----------------------------------------------------------------------------------------------------------

#[test]
fn parents_that_nobody_emitted_are_made_up_once_each() {
    run(async {
        let connector = stray(Role::Importer).go().await;
        let emit = "f /srv/data/a/b/one x\nf /srv/data/a/b/two x\nd /srv/data\ne /srv/data/c/three gone";
        connector.init(Role::Importer, &[("root", "/srv/data"), ("emit", emit)]).await.unwrap();
        let records = connector.import().await.unwrap().all().await.unwrap();
        let made: Vec<_> = records[4..].iter().map(|r| (r.pathname.as_str(), r.file_info.as_ref().unwrap().mode)).collect();
        let mode = 1 << 31 | 0o755;
        assert_eq!(made, [("/", mode), ("/srv", mode), ("/srv/data/a", mode), ("/srv/data/a/b", mode)]);
        connector.end_well().await;
    });
}

#[test]
fn a_content_can_be_opened_until_its_record_was_acknowledged_and_its_attribute_by_itself() {
    run(async {
        let connector = stray(Role::Importer).go().await;
        connector.init(Role::Importer, &[("emit", "d /\nf /a abc\nx /b user.n value"), ("watch", "yes")]).await.unwrap();
        let mut import = connector.import().await.unwrap();
        let _root = import.expect().await;
        let a = import.expect().await;
        let (b, attribute) = (import.expect().await, import.expect().await);
        assert_eq!((a.pathname.as_str(), b.extended_attributes.as_slice()), ("/a", ["user.n".to_owned()].as_slice()));
        for _ in 0..3 {
            assert_eq!(connector.read("/a", None).await.unwrap(), b"abc");
        }
        let gone = async |path: &str, xattr: Option<&str>| {
            // The acknowledgement and this call travel on streams of their own.
            while connector.read(path, xattr).await.is_ok() {}
            connector.read(path, xattr).await.unwrap_err().message().to_owned()
        };
        import.acknowledge(b, "");
        let text = "no content was emitted under this path, or its record was acknowledged already";
        assert_eq!(gone("/b", None).await, format!("not found: \"/b\": {text}"));
        assert_eq!(connector.read("/b", Some("user.n")).await.unwrap(), b"value");
        import.acknowledge(attribute, "");
        let text = text.replace("content", "content of attribute \"user.n\"");
        assert_eq!(gone("/b", Some("user.n")).await, format!("not found: \"/b\": {text}"));
        assert_eq!(connector.read("/a", None).await.unwrap(), b"abc");
        assert!(!connector.stderr.text().contains("let go /a"));
        import.acknowledge(a, "it failed");
        gone("/a", None).await;
        assert!(import.next().await.unwrap().is_none());
        import.finish().await.unwrap();
        // Nothing has closed the importer.
        connector.stderr.wait_for("let go /a").await;
        connector.ping(Role::Importer).await.unwrap();
        connector.end_well().await;
    });
}

#[test]
fn contents_are_let_go_while_the_scan_still_runs() {
    run(async {
        let connector = stray(Role::Importer).go().await;
        connector.init(Role::Importer, &[("count", "1000000"), ("watch", "yes")]).await.unwrap();
        let mut import = connector.import().await.unwrap();
        for _ in 0..1000 {
            let record = import.expect().await;
            import.acknowledge(record, "");
        }
        // Not each by itself; but of a thousand most are gone.
        connector.stderr.wait_for("let go /n/500").await;
        connector.end_well().await;
    });
}

#[test]
fn contents_that_were_never_acknowledged_are_let_go_at_the_end() {
    run(async {
        for close in [true, false] {
            let connector = stray(Role::Importer).go().await;
            connector.init(Role::Importer, &[("emit", "d /\nf /a abc"), ("watch", "yes")]).await.unwrap();
            let mut import = connector.import().await.unwrap();
            while import.next().await.unwrap().is_some() {}
            if close {
                connector.close(Role::Importer).await.unwrap();
            }
            let stderr = connector.end_well().await;
            assert_eq!(stderr.matches("let go /a\n").count(), 1, "{stderr}");
            assert_eq!(stderr.matches("dropped\n").count(), 1, "{stderr}");
        }
    });
}

#[test]
fn a_reader_is_closed_at_its_end_and_when_the_host_cancels() {
    run(async {
        let connector = stray(Role::Importer).go().await;
        connector.init(Role::Importer, &[("emit", "d /\nf /a abc\nf /large *1073741824"), ("watch", "yes")]).await.unwrap();
        let mut import = connector.import().await.unwrap();
        while import.next().await.unwrap().is_some() {}
        connector.read("/a", None).await.unwrap();
        connector.stderr.wait_for("closed /a").await;
        let mut large = connector.open("/large", None).await.unwrap();
        assert!(large.message().await.unwrap().is_some_and(|message| !message.chunk.is_empty()));
        drop(large);
        connector.stderr.wait_for("closed /large").await;
        assert_eq!(connector.read("/a", None).await.unwrap(), b"abc");
        connector.end_well().await;
    });
}

/// A scan of forty small files and of one with an attribute.
fn many_small() -> String {
    let files: String = (0..40).map(|n| format!("f /{n:02} abc\n")).collect();
    format!("d /\n{files}x /attribute user.n value")
}

#[test]
fn small_contents_are_opened_side_by_side_for_a_host_that_opens_one_after_the_other() {
    run(async {
        let (connector, ask) = asking(&stray(Role::Importer), Role::Importer, &[("emit", &many_small())]).await;
        let (records, ()) = tokio::join!(connector.import(), async {
            ask.expect("scan").await.go().await;
            ask.expect("scanned").await.go().await;
        });
        let mut import = records.unwrap();
        while import.next().await.unwrap().is_some() {}
        for n in 0..15 {
            let path = format!("/{n:02}");
            let (content, ()) = tokio::join!(connector.read(&path, None), async {
                for call in ["open", "read", "read"] {
                    ask.expect(&format!("{call} {path}")).await.go().await;
                }
            });
            assert_eq!(content.unwrap(), b"abc");
        }
        let (content, ()) = tokio::join!(connector.read("/15", None), async {
            // None of them goes on before all have begun.
            let begun = ask.at_once(9).await;
            let expected: Vec<_> = (15..24).map(|n| format!("open /{n}")).collect();
            assert_eq!(begun.iter().map(|call| call.what.clone()).collect::<Vec<_>>(), expected);
            begun.into_iter().for_each(|call| drop(go(call)));
            tokio::spawn(async move {
                loop {
                    ask.next().await.go().await;
                }
            });
        });
        assert_eq!(content.unwrap(), b"abc");
        for n in 16..40 {
            assert_eq!(connector.read(&format!("/{n}"), None).await.unwrap(), b"abc");
        }
        connector.end_well().await;
    });
}

#[test]
fn nothing_is_read_ahead_once_the_host_passes_a_content_over() {
    run(async {
        let connector = stray(Role::Importer).go().await;
        connector.init(Role::Importer, &[("emit", &many_small()), ("watch", "yes")]).await.unwrap();
        let mut import = connector.import().await.unwrap();
        let mut records = Vec::new();
        while let Some(record) = import.next().await.unwrap() {
            records.push(record);
        }
        for n in 0..16 {
            connector.read(&format!("/{n:02}"), None).await.unwrap();
        }
        connector.stderr.wait_for("closed /23").await;
        let mut acknowledge = |path: &str, is_xattr| {
            let at = records.iter().position(|record| record.pathname == path && record.is_xattr == is_xattr).unwrap();
            import.acknowledge(records.remove(at), "");
        };
        acknowledge("/16", false);
        acknowledge("/attribute", true);
        // They are taken in order: when the attribute is gone, the content was passed over.
        while connector.read("/attribute", Some("user.n")).await.is_ok() {}
        for n in 17..30 {
            assert_eq!(connector.read(&format!("/{n}"), None).await.unwrap(), b"abc");
        }
        let stderr = connector.end_well().await;
        for n in 16..24 {
            assert_eq!(stderr.matches(&format!("closed /{n}\n")).count(), 1, "{stderr}");
        }
        assert!(!stderr.contains("closed /30"), "{stderr}");
    });
}

#[test]
fn an_error_in_the_middle_of_a_content_fails_its_open_with_the_text() {
    run(async {
        let (connector, ask) = asking(&stray(Role::Importer), Role::Importer, &[("emit", "d /\nf /a abc")]).await;
        let (records, ()) = tokio::join!(connector.import(), async {
            ask.expect("scan").await.go().await;
            ask.expect("scanned").await.go().await;
        });
        let mut import = records.unwrap();
        while import.next().await.unwrap().is_some() {}
        let (content, ()) = tokio::join!(connector.read("/a", None), async {
            ask.expect("open /a").await.go().await;
            ask.expect("read /a").await.go().await;
            let mut second = ask.expect("read /a").await;
            second.tell("fail the tape is torn").await;
            second.end().await;
        });
        assert_eq!(content.unwrap_err().message(), "the tape is torn");
        connector.end_well().await;
    });
}

#[test]
fn a_scan_whose_host_wants_no_more_is_cancelled_and_another_may_begin() {
    for shape in ["", "async"] {
        run(async {
            let connector = stray(Role::Importer).env("STRAY_SHAPE", shape).go().await;
            connector.init(Role::Importer, &[("count", "1000000"), ("watch", "yes")]).await.unwrap();
            let mut import = connector.import().await.unwrap();
            import.expect().await;
            drop(import);
            assert_eq!(connector.stderr.wait_for("the scan ended: ").await, "cancelled by the host");
            let mut again = connector.import().await.unwrap();
            again.expect().await;
            connector.end_well().await;
        });
    }
}

#[test]
fn files_are_opened_while_the_scan_still_runs() {
    run(async {
        let (connector, ask) = asking(&stray(Role::Importer), Role::Importer, &[("emit", "f /a abc")]).await;
        let mut import = connector.import().await.unwrap();
        ask.expect("scan").await.go().await;
        let scanned = ask.expect("scanned").await;
        import.expect().await;
        let (content, ()) = tokio::join!(connector.read("/a", None), async {
            ask.expect("open /a").await.go().await;
            for _ in ["the text", "its end"] {
                ask.expect("read /a").await.go().await;
            }
        });
        assert_eq!(content.unwrap(), b"abc");
        scanned.go().await;
        assert_eq!(import.expect().await.pathname, "/");
        assert!(import.next().await.unwrap().is_none());
        connector.end_well().await;
    });
}

#[test]
fn acknowledgements_come_only_where_they_are_wanted_with_what_went_wrong() {
    run(async {
        let (connector, ask) = asking(&stray(Role::Importer), Role::Importer, &[("flags", "8"), ("emit", "x /a user.n v")]).await;
        let mut import = connector.import().await.unwrap();
        ask.expect("scan").await.go().await;
        ask.expect("scanned").await.go().await;
        let entry = import.expect().await;
        import.acknowledge(entry, "no room");
        ask.expect("acknowledge /a::no room").await.go().await;
        let attribute = import.expect().await;
        import.acknowledge(attribute, "");
        ask.expect("acknowledge /a:user.n:").await.go().await;
        connector.end_well().await;
    });
}

#[test]
fn no_chunk_is_ever_empty_and_an_empty_file_is_a_stream_of_none() {
    run(async {
        let connector = stray(Role::Importer).go().await;
        let emit = "d /\nf /empty\nf /one x\nf /exact *1048576\nf /more *1048577";
        connector.init(Role::Importer, &[("emit", emit)]).await.unwrap();
        let mut import = connector.import().await.unwrap();
        while import.next().await.unwrap().is_some() {}
        for (path, expected) in [("/empty", 0), ("/one", 1), ("/exact", 1 << 20), ("/more", (1 << 20) + 1)] {
            let mut chunks = connector.open(path, None).await.unwrap();
            let mut sizes = Vec::new();
            while let Some(message) = chunks.message().await.unwrap() {
                sizes.push(message.chunk.len());
            }
            assert_eq!((sizes.iter().sum::<usize>(), sizes.contains(&0)), (expected, false), "{path}");
        }
        connector.end_well().await;
    });
}

// ---- the other shape --------------------------------------------------------------------------------------------------------

#[test]
fn a_stepwise_importer_is_asked_for_one_record_after_the_other() {
    run(async {
        let start = stray(Role::Importer).env("STRAY_SHAPE", "stepwise");
        let connector = start.go().await;
        connector.init(Role::Importer, &[("emit", "d /\nf /a abc\nf /b x")]).await.unwrap();
        for _ in ["first", "anew"] {
            let mut import = connector.import().await.unwrap();
            let mut paths = Vec::new();
            while let Some(record) = import.next().await.unwrap() {
                if record.pathname == "/a" {
                    assert_eq!(connector.read("/a", None).await.unwrap(), b"abc");
                }
                paths.push(record.pathname.clone());
                import.acknowledge(record, "");
            }
            import.finish().await.unwrap();
            assert_eq!(paths, ["/", "/a", "/b"]);
        }
        connector.end_well().await;
    });
}

#[test]
fn a_stepwise_exporter_is_handed_pieces_and_then_the_end_or_the_abort() {
    run(async {
        let start = stray(Role::Exporter).env("STRAY_SHAPE", "stepwise");
        let (connector, ask) = asking(&start, Role::Exporter, &[]).await;
        let mut export = connector.export().await.unwrap();
        export.file(file("/a", 3), b"abc");
        ask.expect("create_file /a").await.go().await;
        ask.expect("write /a").await.go().await;
        ask.expect("finish /a 3").await.go().await;
        ask.expect("set_permissions /a").await.go().await;
        assert_eq!(export.result().await.unwrap().unwrap(), done("/a"));

        export.file(file("/empty", 0), b"");
        ask.expect("create_file /empty").await.go().await;
        ask.expect("finish /empty 0").await.go().await;
        ask.expect("set_permissions /empty").await.go().await;
        assert_eq!(export.result().await.unwrap().unwrap(), done("/empty"));

        export.file(file("/full", 3), b"abc");
        ask.expect("create_file /full").await.go().await;
        let mut write = ask.expect("write /full").await;
        write.tell("fail no room").await;
        write.end().await;
        ask.expect("abort /full 0: no room").await.go().await;
        assert_eq!(export.result().await.unwrap().unwrap(), failed("/full", "no room"));

        export.record(file("/cut", 3));
        export.chunk(b"a");
        export.half_close();
        ask.expect("create_file /cut").await.go().await;
        ask.expect("write /cut").await.go().await;
        let broke_off = "the host broke off before the end: what came is truncated";
        ask.expect(&format!("abort /cut 1: {broke_off}")).await.go().await;
        assert_eq!(export.finish().await.unwrap(), [failed("/cut", broke_off)]);
        connector.end_well().await;
    });
}

#[test]
fn a_stepwise_store_is_handed_pieces_and_then_the_end_or_the_abort() {
    run(async {
        let start = stray(Role::Store).env("STRAY_SHAPE", "stepwise");
        let (connector, ask) = asking(&start, Role::Store, &[]).await;
        let (written, ()) = tokio::join!(connector.put_all([1; 32], Packfile, b"abc"), async {
            ask.expect("create_object packfile 01").await.go().await;
            ask.expect("write packfile 01").await.go().await;
            ask.expect("finish packfile 01 3").await.go().await;
        });
        assert_eq!(written.unwrap(), 3);
        let mut put = connector.put([2; 32], Packfile);
        put.chunk(b"ab");
        ask.expect("create_object packfile 02").await.go().await;
        ask.expect("write packfile 02").await.go().await;
        put.cancel();
        let broke_off = "the host broke off before the end: what came is truncated";
        ask.expect(&format!("abort packfile 02 2: {broke_off}")).await.go().await;
        assert_eq!(connector.list(Packfile).await.unwrap_err().message(), "list: not supported by this connector");
        connector.end_well().await;
    });
}
