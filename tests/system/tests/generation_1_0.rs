//! Generation 1.0 of the protocol: what a host of it sends and is answered, and what the author's calls see of that.

use std::collections::HashMap;
use std::fs;

use bytes::Bytes;
use prost_types::Timestamp;
use system_tests::ask::Ask;
use system_tests::connection::Channel;
use system_tests::host::{Connector, Role, Start, requests};
use system_tests::run;
use system_tests::wire_1_0::exporter::exporter_client::ExporterClient;
use system_tests::wire_1_0::exporter::store_file_request::Packet;
use system_tests::wire_1_0::importer::importer_client::ImporterClient;
use system_tests::wire_1_0::importer::scan_response::Result as Found;
use system_tests::wire_1_0::store::store_client::StoreClient;
use system_tests::wire_1_0::{exporter, importer, store};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

const STRAY: &str = env!("CARGO_BIN_EXE_stray");
const DIRECTORY: u32 = 1 << 31;
const SYMLINK: u32 = 1 << 27;

fn start(role: Role) -> Start {
    Start::new(STRAY).arg(role).arg("--protocol=1.0")
}

fn options(config: &[(&str, &str)]) -> HashMap<String, String> {
    let all = [("location", "stray:///"), ("root", "/")].iter().chain(config);
    all.map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

async fn until_end<M, B>(mut chunks: tonic::Streaming<M>, chunk: impl Fn(M) -> B) -> Result<Vec<u8>, Status>
where
    B: AsRef<[u8]>,
{
    let mut all = Vec::new();
    while let Some(message) = chunks.message().await? {
        let chunk = chunk(message);
        assert!(!chunk.as_ref().is_empty(), "an empty chunk is an error to the host");
        all.extend_from_slice(chunk.as_ref());
    }
    Ok(all)
}

// ---- the importer -----------------------------------------------------------------------------------------------------------

struct Importer(ImporterClient<Channel>, String);

impl Importer {
    async fn init(connector: &Connector, config: &[(&str, &str)]) -> Result<Self, Status> {
        let mut client = ImporterClient::new(connector.channel());
        let options = Some(importer::Options { hostname: "testhost".into(), maxconcurrency: 1, ..Default::default() });
        let request = importer::InitRequest { options, proto: "stray".into(), config: self::options(config) };
        let answer = client.init(request).await?.into_inner();
        assert_eq!(answer.error, None);
        Ok(Importer(client, answer.cookie))
    }

    async fn info(&self) -> Result<importer::InfoResponse, Status> {
        Ok(self.0.clone().info(importer::InfoRequest { cookie: self.1.clone() }).await?.into_inner())
    }

    async fn begin_scan(&self) -> Result<tonic::Streaming<importer::ScanResponse>, Status> {
        Ok(self.0.clone().scan(importer::ScanRequest { cookie: self.1.clone() }).await?.into_inner())
    }

    async fn scan(&self) -> Result<Vec<(String, Found)>, Status> {
        let mut answer = self.begin_scan().await?;
        let mut found = Vec::new();
        while let Some(message) = answer.message().await? {
            found.push((message.pathname, message.result.expect("a record or an error")));
        }
        Ok(found)
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, Status> {
        let request = importer::OpenReaderRequest { pathname: path.into(), cookie: self.1.clone() };
        until_end(self.0.clone().open_reader(request).await?.into_inner(), |message| message.chunk).await
    }

    async fn close_reader(&self, path: &str) -> Result<(), Status> {
        let request = importer::CloseReaderRequest { pathname: path.into(), cookie: self.1.clone() };
        self.0.clone().close_reader(request).await.map(drop)
    }

    async fn close(&self) -> Result<(), Status> {
        self.0.clone().close(importer::CloseRequest { cookie: self.1.clone() }).await.map(drop)
    }
}

fn paths(found: &[(String, Found)]) -> Vec<&str> {
    found.iter().map(|(path, _)| path.as_str()).collect()
}

#[test]
fn a_scan_and_its_contents_come_as_the_host_asks_for_them() {
    run(async {
        let connector = start(Role::Importer).go().await;
        let emit = "d /\nf /a hello\nf /empty\nl /l to/here\ne /bad permission denied";
        let importer = Importer::init(&connector, &[("emit", emit), ("watch", "1")]).await.unwrap();
        let info = importer.info().await.unwrap();
        assert_eq!((info.origin.as_str(), info.r#type.as_str(), info.root.as_str()), ("nowhere", "stray", "/"));
        let found = importer.scan().await.unwrap();
        assert_eq!(paths(&found), ["/", "/a", "/empty", "/l", "/bad"]);
        let [(_, Found::Record(root)), (_, Found::Record(a)), _, (_, Found::Record(link)), (_, Found::Error(bad))] = &found[..]
        else {
            panic!("{found:?}")
        };
        assert_eq!(root.fileinfo.as_ref().unwrap().mode, DIRECTORY | 0o755);
        assert_eq!((a.fileinfo.as_ref().unwrap().name.as_str(), a.fileinfo.as_ref().unwrap().size), ("a", 5));
        assert_eq!((link.target.as_str(), bad.message.as_str()), ("to/here", "permission denied"));

        // Info is asked several times, contents after the scan as well as in it, an empty one has no chunk.
        importer.info().await.unwrap();
        assert_eq!(importer.read("/a").await.unwrap(), b"hello");
        assert_eq!(importer.read("/empty").await.unwrap(), b"");
        importer.close_reader("/a").await.unwrap();
        let gone = importer.read("/a").await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound);
        assert!(gone.message().ends_with("or its reader was closed already"), "{}", gone.message());
        importer.close_reader("/a").await.unwrap();
        importer.close().await.unwrap();
        assert_eq!(importer.info().await.unwrap_err().message(), "the host called after Close");
        connector.end_well().await;
    });
}

#[test]
fn a_large_content_is_let_go_of_when_its_reader_is_closed_and_a_small_one_with_others_or_at_the_end() {
    run(async {
        let connector = start(Role::Importer).go().await;
        let emit = "d /\nf /never small\nf /small small\nf /large *1048576";
        let importer = Importer::init(&connector, &[("emit", emit), ("watch", "1")]).await.unwrap();
        assert_eq!(importer.scan().await.unwrap().len(), 4);
        importer.close_reader("/small").await.unwrap();
        importer.close_reader("/large").await.unwrap();
        connector.stderr.wait_for("let go /large").await;
        connector.stderr.wait_for("let go /small").await;
        assert!(!connector.stderr.text().contains("let go /never"));
        importer.close().await.unwrap();
        connector.stderr.wait_for("let go /never").await;
        let said = connector.end_well().await;
        assert_eq!(said.matches("let go ").count(), 3, "{said}");
    });
}

#[test]
fn of_a_file_with_attributes_the_content_comes_and_the_rest_is_told_once() {
    run(async {
        let connector = start(Role::Importer).env("KLOSET_SDK_LOG", "info").go().await;
        let emit = "d /\nx /a user.color red\nx /b user.color blue";
        let importer = Importer::init(&connector, &[("emit", emit), ("flags", "8")]).await.unwrap();
        let found = importer.scan().await.unwrap();
        assert_eq!(paths(&found), ["/", "/a", "/b"]);
        for (_, record) in &found {
            assert!(matches!(record, Found::Record(record) if record.xattr.is_none()), "{record:?}");
        }
        assert_eq!(importer.read("/a").await.unwrap(), b"");
        let said = connector.end_well().await;
        assert_eq!(said.matches("extended attributes are not backed up, of \"/a\" and others").count(), 1, "{said}");
        assert_eq!(said.matches("acknowledge is not called").count(), 1, "{said}");
    });
}

#[test]
fn a_scan_that_fails_is_an_error_of_the_root_since_the_host_would_read_a_failed_stream_for_ever() {
    run(async {
        let connector = start(Role::Importer).go().await;
        let config = [("root", "/srv"), ("emit", "d /srv\nf /srv/a"), ("do", "fail:scanned"), ("text", "the disk fell off")];
        let importer = Importer::init(&connector, &config).await.unwrap();
        let found = importer.scan().await.unwrap();
        assert_eq!(paths(&found), ["/srv", "/srv/a", "/srv"]);
        let Some((_, Found::Error(error))) = found.last() else { panic!("{found:?}") };
        assert_eq!(error.message, "the scan failed, and this backup is not complete: the disk fell off");
        connector.end_well().await;
    });
}

#[test]
fn one_process_holds_several_instances_and_each_call_finds_its_own() {
    run(async {
        let connector = start(Role::Importer).go().await;
        let one = Importer::init(&connector, &[("emit", "f /a one")]).await.unwrap();
        let without_a_cookie = Importer(one.0.clone(), String::new());
        let speaks_1_1 = |error: Status| assert!(error.message().ends_with("args: [importer, --protocol=1.1]"), "{error}");
        speaks_1_1(without_a_cookie.info().await.unwrap_err());
        let two = Importer::init(&connector, &[("emit", "f /a two"), ("root", "/")]).await.unwrap();
        assert_ne!(one.1, two.1);
        one.scan().await.unwrap();
        two.scan().await.unwrap();
        assert_eq!((one.read("/a").await.unwrap(), two.read("/a").await.unwrap()), (b"one".to_vec(), b"two".to_vec()));
        one.close().await.unwrap();
        assert_eq!(one.read("/a").await.unwrap_err().message(), "the host called after Close");
        assert_eq!(two.read("/a").await.unwrap(), b"two");
        let unknown = Importer(one.0.clone(), "17".into()).info().await.unwrap_err();
        assert_eq!(unknown.message(), "the host sent the cookie \"17\", which Init never gave");
        speaks_1_1(without_a_cookie.info().await.unwrap_err());
        connector.end_well().await;
    });
}

#[test]
fn a_constructor_that_fails_is_told_in_its_own_words_and_may_be_tried_again() {
    run(async {
        let connector = start(Role::Importer).go().await;
        let failed = Importer::init(&connector, &[("colour", "red")]).await.map(|_| ()).unwrap_err();
        assert!(failed.message().starts_with("unknown option \"colour\""), "{}", failed.message());
        let importer = Importer::init(&connector, &[]).await.unwrap();
        importer.info().await.unwrap();
        connector.end_well().await;
    });
}

#[test]
fn contents_that_the_host_never_opens_do_not_fill_the_memory() {
    run(async {
        let connector = start(Role::Importer).go().await;
        let importer = Importer::init(&connector, &[("count", "100000")]).await.unwrap();
        let mut answer = importer.begin_scan().await.unwrap();
        let mut found = 0;
        while answer.message().await.unwrap().is_some() {
            found += 1;
        }
        // The directory that they lie in and the root are made up.
        assert_eq!(found, 100_002);
        assert_eq!(importer.read("/n/0").await.unwrap(), b"");
        importer.close().await.unwrap();
        connector.end_well().await;
    });
}

// ---- the exporter -----------------------------------------------------------------------------------------------------------

struct Exporter(ExporterClient<Channel>, String);

impl Exporter {
    async fn init(connector: &Connector, config: &[(&str, &str)]) -> Result<Self, Status> {
        let mut client = ExporterClient::new(connector.channel());
        let options = Some(exporter::Options { maxconcurrency: 1 });
        let request = exporter::InitRequest { options, proto: "stray".into(), config: self::options(config) };
        let cookie = client.init(request).await?.into_inner().cookie;
        Ok(Exporter(client, cookie))
    }

    /// One each of whose calls the test decides.
    async fn asking(config: &[(&str, &str)]) -> (Connector, Ask, Self) {
        let ask = Ask::new();
        let connector = start(Role::Exporter).go().await;
        let option = ask.option();
        let config = [&[("root", "/dest/there"), ("ask", &option)], config].concat();
        let (made, ()) = tokio::join!(Exporter::init(&connector, &config), async {
            ask.expect("init").await.go().await;
            ask.expect("location").await.go().await;
        });
        (connector, ask, made.unwrap())
    }

    async fn root(&self) -> Result<String, Status> {
        Ok(self.0.clone().root(exporter::RootRequest { cookie: self.1.clone() }).await?.into_inner().root_path)
    }

    async fn create_directory(&self, path: &str) -> Result<(), Status> {
        let request = exporter::CreateDirectoryRequest { pathname: path.into(), cookie: self.1.clone() };
        self.0.clone().create_directory(request).await.map(drop)
    }

    /// Begins a file. The answer comes from the task.
    fn begin_file(
        &self,
        path: &str,
        size: i64,
    ) -> (mpsc::UnboundedSender<exporter::StoreFileRequest>, JoinHandle<Result<(), Status>>) {
        let (sender, messages) = requests();
        let header = exporter::StoreFileHeader { pathname: path.into(), size: size as u64 };
        let cookie = self.1.clone();
        sender.send(exporter::StoreFileRequest { packet: Some(Packet::Header(header)), cookie }).unwrap();
        let mut client = self.0.clone();
        (sender, tokio::spawn(async move { client.store_file(messages).await.map(drop) }))
    }

    async fn store_file(&self, path: &str, size: i64, content: &[u8]) -> Result<(), Status> {
        let (sender, answer) = self.begin_file(path, size);
        for chunk in content.chunks(1 << 20) {
            sender.send(data(chunk)).unwrap();
        }
        drop(sender);
        answer.await.unwrap()
    }

    async fn set_permissions(&self, path: &str, mode: u32) -> Result<(), Status> {
        let mod_time = Some(Timestamp { seconds: 1_700_000_000, nanos: 0 });
        let file_info = Some(exporter::FileInfo { mode, mod_time, uid: 12, gid: 34, ..Default::default() });
        let request = exporter::SetPermissionsRequest { pathname: path.into(), file_info, cookie: self.1.clone() };
        self.0.clone().set_permissions(request).await.map(drop)
    }

    async fn create_link(&self, old: &str, new: &str, ltype: u32) -> Result<(), Status> {
        let cookie = self.1.clone();
        let request = exporter::CreateLinkRequest { oldname: old.into(), newname: new.into(), ltype, cookie };
        self.0.clone().create_link(request).await.map(drop)
    }

    async fn close(&self) -> Result<(), Status> {
        self.0.clone().close(exporter::CloseRequest { cookie: self.1.clone() }).await.map(drop)
    }
}

fn data(chunk: &[u8]) -> exporter::StoreFileRequest {
    let data = exporter::StoreFileData { chunk: Bytes::copy_from_slice(chunk) };
    exporter::StoreFileRequest { packet: Some(Packet::Data(data)), cookie: String::new() }
}

/// Runs a call of the host's while the author's code is in the call that it leads to; gives what that said.
async fn leads_to(ask: &Ask, call: impl Future<Output = Result<(), Status>>, what: &str) -> Vec<String> {
    let (answer, said) = tokio::join!(call, async { ask.expect(what).await.go().await });
    answer.unwrap();
    said
}

#[test]
fn each_step_of_a_restore_reaches_its_call_with_paths_that_begin_at_the_root() {
    run(async {
        let (connector, ask, exporter) = Exporter::asking(&[]).await;
        assert_eq!(exporter.root().await.unwrap(), "/dest/there");
        leads_to(&ask, exporter.create_directory("/dest/there/d"), "create_directory /d").await;
        // The host asks for it again with every file in it.
        exporter.create_directory("/dest/there/d").await.unwrap();
        leads_to(&ask, exporter.create_directory("/dest/there"), "create_directory /").await;
        let content = vec![7; 3 << 20];
        let stored = exporter.store_file("/dest/there/d/f", content.len() as i64, &content);
        let said = leads_to(&ask, stored, "store_file /d/f").await;
        assert_eq!(said.last().unwrap(), "complete 3145728");
        // Permissions are a call of their own.
        leads_to(&ask, exporter.set_permissions("/dest/there/d/f", 0o640), "set_permissions /d/f 640").await;
        let link = exporter.create_link("/dest/there/d/f", "/dest/there/d/g", 0);
        leads_to(&ask, link, "create_link /d/g = /d/f").await;
        leads_to(&ask, exporter.store_file("/dest/there/empty", 0, b""), "store_file /empty").await;
        leads_to(&ask, exporter.store_file("/dest/there/unknown", -1, b"x"), "store_file /unknown").await;
        leads_to(&ask, exporter.set_permissions("/dest/there/d", DIRECTORY | 0o555), "set_permissions /d 555").await;
        leads_to(&ask, exporter.close(), "close at most 1 calls at once").await;
        assert_eq!(exporter.root().await.unwrap_err().message(), "the host called after Close");
        let (end, ()) = tokio::join!(connector.end_well(), async {
            ask.expect("drop").await.go().await;
        });
        assert_eq!(end, "");
    });
}

#[test]
fn a_symbolic_link_is_made_when_its_owner_and_times_are_known_and_has_no_permissions_set() {
    run(async {
        let (connector, ask, exporter) = Exporter::asking(&[]).await;
        exporter.create_link("to/here", "/dest/there/l", 1).await.unwrap();
        let told = exporter.set_permissions("/dest/there/l", SYMLINK | 0o777);
        leads_to(&ask, told, "create_link /l -> to/here").await;
        // An error of it reaches the user.
        exporter.create_link("x", "/dest/there/m", 1).await.unwrap();
        let (answer, ()) = tokio::join!(exporter.set_permissions("/dest/there/m", SYMLINK | 0o777), async {
            ask.expect("create_link /m -> x").await.tell("fail no links here").await;
        });
        assert_eq!(answer.unwrap_err().message(), "no links here");
        // A host that leaves permissions out: the link is made at the latest when it closes.
        exporter.create_link("y", "/dest/there/n", 1).await.unwrap();
        let (answer, ()) = tokio::join!(exporter.close(), async {
            ask.expect("create_link /n -> y").await.go().await;
            ask.expect("close at most 1 calls at once").await.go().await;
        });
        answer.unwrap();
        drop(ask);
        connector.end().await;
    });
}

#[test]
fn a_file_that_ends_before_its_size_or_is_cut_is_reported_as_truncated() {
    run(async {
        let (connector, ask, exporter) = Exporter::asking(&[]).await;
        // The host's reader failed: it ends the call as if that were all.
        let (answer, said) = tokio::join!(exporter.store_file("/dest/there/short", 10, b"12345"), async {
            ask.expect("store_file /short").await.go().await
        });
        assert_eq!(answer.unwrap_err().code(), Code::DataLoss);
        assert!(said.last().unwrap().starts_with("Truncated: the host broke off before the end"), "{said:?}");
        // The call is cut.
        let (sender, answer) = exporter.begin_file("/dest/there/cut", 10);
        sender.send(data(b"12345")).unwrap();
        let mut call = ask.expect("store_file /cut").await;
        answer.abort();
        call.tell("go").await;
        let said = call.end().await;
        assert!(said.last().unwrap().starts_with("Truncated: "), "{said:?}");
        drop((sender, ask));
        connector.end().await;
    });
}

#[test]
fn success_before_everything_was_read_is_an_error_and_the_file_is_still_read_to_its_end() {
    run(async {
        let connector = start(Role::Exporter).go().await;
        let exporter = Exporter::init(&connector, &[("do", "lazy:store_file")]).await.unwrap();
        let error = exporter.store_file("/f", 5 << 20, &vec![1; 5 << 20]).await.unwrap_err();
        assert!(error.message().starts_with("store_file returned success after 0 bytes"), "{}", error.message());
        connector.end_well().await;
    });
}

#[test]
fn paths_outside_the_root_or_with_parents_or_a_nul_in_them_reach_no_call() {
    run(async {
        let connector = start(Role::Exporter).go().await;
        let config = [("root", "/dest"), ("do", "panic"), ("text", "called")];
        // Only these calls are watched.
        let plan = "panic:create_directory,panic:store_file,panic:set_permissions,panic:create_link";
        let config = [config[0], ("do", plan), config[2]];
        let exporter = Exporter::init(&connector, &config).await.unwrap();
        for (path, what) in [
            ("/dest/../etc", "holds \"..\""),
            ("/dest/a\0b", "holds a NUL"),
            ("dest/a", "is relative"),
            ("/destination", "is neither at nor below the exporter's root \"/dest\""),
            ("/", "is neither at nor below the exporter's root \"/dest\""),
        ] {
            for answer in [
                exporter.create_directory(path).await,
                exporter.store_file(path, 1, b"x").await,
                exporter.set_permissions(path, 0o644).await,
                exporter.create_link("/dest/x", path, 0).await,
                exporter.create_link(path, "/dest/x", 0).await,
                exporter.create_link("x", path, 1).await,
            ] {
                let error = answer.unwrap_err();
                assert!(error.message().starts_with(&format!("path {path:?} {what}")), "{}", error.message());
            }
        }
        let nul = exporter.create_link("a\0b", "/dest/x", 1).await.unwrap_err();
        assert!(nul.message().contains("holds a NUL"), "{}", nul.message());
        connector.end_well().await;
    });
}

#[test]
fn no_more_calls_run_at_once_than_the_exporter_allows() {
    run(async {
        let (connector, ask, exporter) = Exporter::asking(&[("concurrency", "2")]).await;
        let files: Vec<_> = (0..6).map(|n| exporter.begin_file(&format!("/dest/there/{n}"), 1)).collect();
        let mut answers = Vec::new();
        for (sender, answer) in files {
            sender.send(data(b"x")).unwrap();
            answers.push(answer);
        }
        for _ in 0..6 {
            ask.next().await.go().await;
        }
        for answer in answers {
            answer.await.unwrap().unwrap();
        }
        let (closed, call) = tokio::join!(exporter.close(), async {
            let mut call = ask.next().await;
            call.tell("go").await;
            call.what
        });
        closed.unwrap();
        assert!(["close at most 1 calls at once", "close at most 2 calls at once"].contains(&call.as_str()), "{call}");
        drop(ask);
        connector.end().await;
    });
}

// ---- the store --------------------------------------------------------------------------------------------------------------

struct Store(StoreClient<Channel>, String);

fn mac(n: u8) -> Option<store::Mac> {
    Some(store::Mac { value: vec![n; 32].into() })
}

impl Store {
    async fn init(connector: &Connector, config: &[(&str, &str)]) -> Result<Self, Status> {
        let mut client = StoreClient::new(connector.channel());
        let request = store::InitRequest { proto: "stray".into(), config: options(config) };
        let cookie = client.init(request).await?.into_inner().cookie;
        Ok(Store(client, cookie))
    }

    async fn put_state(&self, n: u8, content: &[u8]) -> Result<i64, Status> {
        let (sender, messages) = requests();
        let cookie = self.1.clone();
        sender.send(store::PutStateRequest { mac: mac(n), chunk: Bytes::new(), cookie: cookie.clone() }).unwrap();
        for chunk in content.chunks(1 << 20) {
            let chunk = Bytes::copy_from_slice(chunk);
            sender.send(store::PutStateRequest { mac: None, chunk, cookie: cookie.clone() }).unwrap();
        }
        drop(sender);
        Ok(self.0.clone().put_state(messages).await?.into_inner().bytes_written)
    }

    async fn states(&self) -> Result<Vec<u8>, Status> {
        let request = store::GetStatesRequest { cookie: self.1.clone() };
        Ok(self.0.clone().get_states(request).await?.into_inner().macs.iter().map(|mac| mac.value[0]).collect())
    }

    async fn state(&self, n: u8) -> Result<Vec<u8>, Status> {
        let request = store::GetStateRequest { mac: mac(n), cookie: self.1.clone() };
        until_end(self.0.clone().get_state(request).await?.into_inner(), |message| message.chunk).await
    }
}

#[test]
fn every_method_of_a_store_reaches_its_call_and_its_kind() {
    run(async {
        let connector = start(Role::Store).go().await;
        let opened = Store::init(&connector, &[]).await.unwrap();
        let (mut client, cookie) = (opened.0.clone(), opened.1.clone());
        client.create(store::CreateRequest { config: "c".into(), cookie: cookie.clone() }).await.unwrap();
        let config = client.open(store::OpenRequest { cookie: cookie.clone() }).await.unwrap().into_inner().config;
        assert_eq!(config, "configuration");
        let location = client.get_location(store::GetLocationRequest { cookie: cookie.clone() }).await.unwrap().into_inner();
        assert_eq!(location.location, "stray:///");
        let mode = client.get_mode(store::GetModeRequest { cookie: cookie.clone() }).await.unwrap().into_inner();
        let size = client.get_size(store::GetSizeRequest { cookie: cookie.clone() }).await.unwrap().into_inner();
        assert_eq!((mode.mode, size.size), (6, -1));

        let content: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
        assert_eq!(opened.put_state(1, &content).await.unwrap(), 3_000_000);
        let (sender, messages) = requests();
        sender.send(store::PutPackfileRequest { mac: mac(2), chunk: "pack".into(), cookie: cookie.clone() }).unwrap();
        drop(sender);
        assert_eq!(client.put_packfile(messages).await.unwrap().into_inner().bytes_written, 4);
        let (sender, messages) = requests();
        sender.send(store::PutLockRequest { mac: mac(3), chunk: "lock".into(), cookie: cookie.clone() }).unwrap();
        drop(sender);
        assert_eq!(client.put_lock(messages).await.unwrap().into_inner().bytes_written, 4);

        assert_eq!(opened.states().await.unwrap(), [1]);
        let packfiles = client.get_packfiles(store::GetPackfilesRequest { cookie: cookie.clone() }).await.unwrap().into_inner();
        let locks = client.get_locks(store::GetLocksRequest { cookie: cookie.clone() }).await.unwrap().into_inner();
        assert_eq!((packfiles.macs, locks.macs), (mac(2).into_iter().collect(), mac(3).into_iter().collect()));
        assert_eq!(opened.state(1).await.unwrap(), content);
        let packfile = client.get_packfile(store::GetPackfileRequest { mac: mac(2), cookie: cookie.clone() }).await.unwrap();
        assert_eq!(until_end(packfile.into_inner(), |message| message.chunk).await.unwrap(), b"pack");
        let lock = client.get_lock(store::GetLockRequest { mac: mac(3), cookie: cookie.clone() }).await.unwrap();
        assert_eq!(until_end(lock.into_inner(), |message| message.chunk).await.unwrap(), b"lock");
        let missing = opened.state(9).await.unwrap_err();
        assert!(missing.code() == Code::NotFound && missing.message().starts_with("not found: "), "{}", missing.message());

        client.delete_state(store::DeleteStateRequest { mac: mac(1), cookie: cookie.clone() }).await.unwrap();
        client.delete_packfile(store::DeletePackfileRequest { mac: mac(2), cookie: cookie.clone() }).await.unwrap();
        // The host deletes its lock after it has closed the store.
        client.close(store::CloseRequest { cookie: cookie.clone() }).await.unwrap();
        client.delete_lock(store::DeleteLockRequest { mac: mac(3), cookie: cookie.clone() }).await.unwrap();
        assert_eq!(opened.states().await.unwrap(), []);
        connector.end_well().await;
    });
}

#[test]
fn an_upload_that_the_store_refuses_is_read_to_its_end_before_it_is_answered() {
    run(async {
        let connector = start(Role::Store).go().await;
        let store = Store::init(&connector, &[("do", "fail:put"), ("text", "the disk is full")]).await.unwrap();
        let error = store.put_state(1, &vec![1; 8 << 20]).await.unwrap_err();
        assert!(error.message().ends_with("the disk is full"), "{}", error.message());
        connector.end_well().await;
    });
}

#[test]
fn an_object_without_a_name_of_32_bytes_is_refused() {
    run(async {
        let connector = start(Role::Store).go().await;
        let opened = Store::init(&connector, &[]).await.unwrap();
        let mut client = opened.0.clone();
        let none = store::DeleteLockRequest { mac: None, cookie: opened.1.clone() };
        assert_eq!(client.delete_lock(none).await.unwrap_err().code(), Code::InvalidArgument);
        let short = store::DeleteLockRequest { mac: Some(store::Mac { value: vec![1; 31].into() }), cookie: opened.1.clone() };
        assert_eq!(client.delete_lock(short).await.unwrap_err().code(), Code::InvalidArgument);
        connector.end_well().await;
    });
}

// ---- which generation -------------------------------------------------------------------------------------------------------

/// The generation that is served: only one of them has `Info`.
async fn served(start: Start) -> &'static str {
    let connector = start.go().await;
    let info = ImporterClient::new(connector.channel()).info(importer::InfoRequest::default()).await.unwrap_err();
    connector.end().await;
    match info.message() {
        "the host called before Init had succeeded" => "1.0",
        message if message.contains("this process serves 1.1") => "1.1",
        message => panic!("{message}"),
    }
}

#[test]
fn the_argument_then_the_environment_then_the_place_of_the_executable_tell_the_generation() {
    run(async {
        let cache = tempfile::TempDir::new().unwrap();
        let unpacked = |api: &str| {
            let folder = cache.path().join("plakar/plugins").join(api).join("stray_v1_linux_amd64");
            fs::create_dir_all(&folder).unwrap();
            fs::copy(STRAY, folder.join("stray")).unwrap();
            Start::new(folder.join("stray")).arg("importer")
        };
        let (old, new, anywhere) = (unpacked("v1.0.0"), unpacked("v1.1.0"), Start::new(STRAY).arg("importer"));
        const NAME: &str = "KLOSET_SDK_PROTOCOL";
        assert_eq!(served(anywhere.clone()).await, "1.1");
        assert_eq!(served(old.clone()).await, "1.0");
        assert_eq!(served(new.clone()).await, "1.1");
        assert_eq!(served(anywhere.clone().env(NAME, "1.0")).await, "1.0");
        assert_eq!(served(old.clone().env(NAME, "1.1")).await, "1.1");
        assert_eq!(served(anywhere.clone().env(NAME, "1.1").arg("--protocol").arg("1.0")).await, "1.0");
        assert_eq!(served(old.clone().arg("--protocol=1.1")).await, "1.1");
    });
}

#[test]
fn a_generation_that_nobody_speaks_is_answered_by_an_error_to_every_call() {
    run(async {
        for start in [
            Start::new(STRAY).arg("importer").arg("--protocol=2.0"),
            Start::new(STRAY).arg("importer").env("KLOSET_SDK_PROTOCOL", "2.0"),
        ] {
            let connector = start.go().await;
            let error = Importer::init(&connector, &[]).await.map(|_| ()).unwrap_err();
            assert!(
                error.message().contains("protocol generation \"2.0\" is not served; 1.0 and 1.1 are"),
                "{}",
                error.message()
            );
            let (status, _) = connector.end().await;
            assert_eq!(status.code(), Some(2));
        }
    });
}

#[test]
fn a_host_of_the_other_generation_is_told_what_to_write_into_the_manifest() {
    run(async {
        let manifest = |role: &str, spoken: &str| format!("args: [{role}, --protocol={spoken}]");
        // Hosts of 1.0 at processes that serve 1.1.
        let connector = Start::new(STRAY).arg("exporter").go().await;
        let error = Exporter::init(&connector, &[]).await.map(|_| ()).unwrap_err();
        assert!(error.message().ends_with(&manifest("exporter", "1.0")), "{}", error.message());
        connector.end().await;
        let connector = Start::new(STRAY).arg("store").go().await;
        let opened = Store::init(&connector, &[]).await.unwrap();
        let error = opened.states().await.unwrap_err();
        assert!(error.message().ends_with(&manifest("store", "1.0")), "{}", error.message());
        connector.end().await;

        // Hosts of 1.1 at processes that serve 1.0.
        let connector = start(Role::Exporter).go().await;
        let error = connector.init(Role::Exporter, &[]).await.unwrap_err();
        assert!(error.message().ends_with(&manifest("exporter", "1.1")), "{}", error.message());
        connector.end().await;
        let connector = start(Role::Importer).go().await;
        connector.init(Role::Importer, &[]).await.unwrap();
        let error = connector.import().await.map(|_| ()).unwrap_err();
        assert!(error.message().ends_with(&manifest("importer", "1.1")), "{}", error.message());
        connector.end().await;
        let connector = start(Role::Store).go().await;
        connector.init(Role::Store, &[]).await.unwrap();
        let error = connector.ping(Role::Store).await.unwrap_err();
        assert!(error.message().ends_with(&manifest("store", "1.1")), "{}", error.message());
        connector.end().await;
    });
}
