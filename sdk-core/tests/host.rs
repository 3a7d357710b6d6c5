//! The host library against the connector in `examples/host_fixture.rs`: what the command does not show.
// The connector is found by where the command lies.
#![cfg(feature = "command")]

mod common;

use std::time::Duration;

use common::{Folder, fixture};
use kloset_sdk::bytes::Bytes;
use kloset_sdk::host::{CommandLine, Entry, Error, Exporter, Importer, Launch, Store};
use kloset_sdk::{FileInfo, Mac, Object, Resource};
use tokio::sync::mpsc;

fn launch(role: &str, location: &str) -> Launch {
    let command = CommandLine { program: fixture().to_owned(), arguments: vec![role.to_owned()] };
    let mut launch = Launch::new(command, location);
    // Whatever hangs is an error after that time, and does not pass.
    launch.grace = Duration::from_secs(60);
    launch
}

fn run<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn an_exporter_ends_though_its_results_and_an_unfinished_content_are_held() {
    let folder = Folder::new();
    run(async {
        let exporter = Exporter::start(&launch("exporter", &folder.location("out"))).await?;
        let (mut feed, mut results) = exporter.export();
        let file = |path: &str| Entry { path: path.into(), info: FileInfo::file(), has_content: true, ..Entry::default() };
        feed.entry(&Entry { path: "/".into(), info: FileInfo::directory(), ..Entry::default() }).await?;
        feed.entry(&file("/whole")).await?;
        feed.end_of_content().await?;
        assert_eq!(results.next().await?.unwrap().path, "/whole");
        feed.entry(&file("/half")).await?;
        feed.content(Bytes::from_static(b"half of it")).await?;
        exporter.end().await
    })
    .unwrap();
    assert_eq!((folder.read("out/whole"), folder.read("out/half")), (Some(Vec::new()), None));
}

#[test]
fn a_store_ends_though_an_upload_is_held_without_an_end() {
    let folder = Folder::new();
    run(async {
        let store = Store::start(&launch("store", &folder.location("repository"))).await?;
        store.create(Bytes::from_static(b"config")).await?;
        let (_pieces, held) = mpsc::channel(1);
        let putting = store.clone();
        tokio::spawn(async move { putting.put(Object::new(Resource::Packfile, Mac([7; Mac::LEN])), held).await });
        // It has begun when another call was answered that was made later.
        tokio::task::yield_now().await;
        store.ping().await?;
        store.end().await
    })
    .unwrap();
}

#[test]
fn an_importer_ends_though_a_scan_and_a_content_are_held() {
    run(async {
        let importer = Importer::start(&launch("importer", "try:///x")).await?;
        let mut scan = importer.scan();
        let mut receipts = Vec::new();
        while let Some((item, receipt)) = scan.next().await? {
            let is_big = item.path() == "/srv/data/big";
            receipts.push(receipt);
            if is_big {
                let mut contents = importer.open(&item).await?;
                contents.next().await?;
                return importer.end().await;
            }
        }
        unreachable!("the fixture has a big file");
    })
    .unwrap();
}

#[test]
fn everything_that_was_started_can_be_ended_at_once() {
    let folder = Folder::new();
    run(async {
        let importer = launch("importer", "try:///x");
        let mut exporter = launch("exporter", &folder.location("out"));
        exporter.started = importer.started.clone();
        let started = importer.started.clone();
        let importer = Importer::start(&importer).await?;
        let exporter = Exporter::start(&exporter).await?;
        started.end().await;
        assert_eq!((importer.process().pid(), exporter.process().pid()), (None, None));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_text_of_an_error_comes_whole_though_each_of_its_letters_takes_six_bytes_of_a_header() {
    let mut launch = launch("importer", "try:///x");
    launch.option("how", "refuses-at-length");
    let error = run(Importer::start(&launch)).err().unwrap();
    assert_eq!(error.text(), "ä".repeat(4000));
}
