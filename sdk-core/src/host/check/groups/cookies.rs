//! Several instances in one process, each with its cookie, as generation 1.0 has them.

use super::init::something;
use crate::host::check::bench::Bench;
use crate::host::check::calls::Connected;
use crate::host::check::catalogue::{Check, Group, Need, Role};
use crate::host::check::given;
use crate::host::check::stop::{Outcome, must, refused, same, skip};
use crate::host::check::tree::Tree;

const I: Group = Group::Init;
const COOKIES: &str =
    "Every Init answers with a cookie, and every other request carries it back: one process may hold several instances.";

pub(super) const CHECKS: &[Check] = &[
    Check::new(I, "instances", "two instances in one process do not mix", COOKIES, "mixes-instances", |bench| {
        Box::pin(instances(bench))
    })
    .v1_0()
    .needs(&[Need::Directory]),
    Check::new(
        I,
        "unknown-cookie",
        "a call with a cookie that Init never gave is refused",
        "A cookie that is not known belongs to nobody: whoever sends it means something else.",
        "takes-any-cookie",
        |bench| Box::pin(unknown_cookie(bench)),
    )
    .v1_0(),
    Check::new(
        I,
        "close-one",
        "the Close of an instance leaves the others as they are",
        COOKIES,
        "closes-all-instances",
        |bench| Box::pin(close_one(bench)),
    )
    .of(&[Role::Importer, Role::Exporter])
    .v1_0()
    .needs(&[Need::Directory]),
];

/// Two instances in one process: their cookies, and where they are.
struct Two {
    connector: Connected,
    cookies: [String; 2],
    paths: [std::path::PathBuf; 2],
    roots: [String; 2],
}

async fn two(bench: &Bench) -> Outcome<Two> {
    let connector = bench.start().await?;
    let (mut cookies, mut roots) = ([const { String::new() }; 2], [const { String::new() }; 2]);
    let mut paths = [bench.new_path(), bench.new_path()];
    for at in 0..2 {
        if bench.role() == Role::Importer {
            let mut tree = Tree::new(bench)?;
            tree.file(["/first", "/second"][at], b"content")?;
            paths[at] = tree.path;
        }
        roots[at] = connector.init_at(&bench.location_of(&paths[at])).await?.root;
        cookies[at] = connector.cookie();
    }
    if cookies[0] == cookies[1] {
        return skip("both have the same cookie: the connector holds one instance at a time");
    }
    Ok(Two { connector, cookies, paths, roots })
}

async fn instances(bench: &Bench) -> Outcome {
    let Two { connector, cookies, paths, roots } = two(bench).await?;
    let names = ["first", "second"];
    if bench.role() == Role::Importer {
        for at in 0..2 {
            connector.set_cookie(&cookies[at]);
            let found = connector.entries().await?;
            let path = format!("{}/{}", roots[at].trim_end_matches('/'), names[at]);
            must(found.contains_key(&path), format_args!("{path} is listed"), format_args!("{:?}", found.keys()))?;
        }
        return Ok(());
    }
    for at in 0..2 {
        connector.set_cookie(&cookies[at]);
        if bench.role() == Role::Store {
            connector.create(names[at].as_bytes()).await?;
        } else {
            let results = connector.restore(&[given::directory("/"), given::file("/file", names[at])], &roots[at]).await?;
            let error = results.into_iter().find_map(|(_, error)| error);
            must(error.is_none(), "a file is written", error.unwrap_or_default())?;
        }
    }
    for at in 0..2 {
        connector.set_cookie(&cookies[at]);
        let came = match bench.role() {
            Role::Store => connector.open_store().await?.to_vec(),
            _ => std::fs::read(paths[at].join("file")).unwrap_or_default(),
        };
        same(format_args!("what the {} instance was given", names[at]), &names[at].as_bytes().to_vec(), &came)?;
    }
    Ok(())
}

async fn unknown_cookie(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let cookie = ready.connector.cookie();
    if cookie.is_empty() {
        return skip("the cookie is empty: the connector holds one instance, whatever it is called");
    }
    ready.connector.set_cookie("a cookie that was never given");
    refused(something(&ready.connector, &ready.place.root).await, "a call with another cookie")?;
    ready.connector.set_cookie(&cookie);
    ready.work().await
}

async fn close_one(bench: &Bench) -> Outcome {
    let Two { connector, cookies, roots, .. } = two(bench).await?;
    connector.set_cookie(&cookies[0]);
    connector.close().await?;
    connector.set_cookie(&cookies[1]);
    Ok(something(&connector, &roots[1]).await?)
}
