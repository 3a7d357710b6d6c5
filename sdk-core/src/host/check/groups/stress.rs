//! Much of everything.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::super::bench::{Bench, not_here};
use super::super::calls::{Connected, LARGEST_MESSAGE, Record};
use super::super::catalogue::{Check, Group, Need, Role};
use super::super::given;
use super::super::stop::{Outcome, Trouble, answered, failed, must, same, skip};
use super::super::tree::Tree;
use super::super::usage;
use crate::Resource;
use crate::host::CHUNK;

const T: Group = Group::Stress;
const BOUNDED: &str = "Memory is bounded whatever the host does, and however much there is.";

/// How much memory a connector may take for much that goes through it.
const MEMORY: u64 = 96 << 20;

/// How much of it a file may take that can still be opened.
const OPENABLE: u64 = 256;

/// How many calls are under way at once where there are many to make.
const AT_ONCE: usize = 32;

/// How many names one file may have everywhere.
const NAMES: usize = 30_000;

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        T,
        "many-at-once",
        "contents that are read at once, more than the host ever asks for, are all whole",
        "Calls run at the same time up to the concurrency that the host names; beyond it they wait, or are refused, and nothing dies.",
        "dies-of-many-calls",
        |bench| Box::pin(many_at_once(bench)),
    )
    .of(&[Role::Importer, Role::Store])
    .needs(&[Need::Directory]),
    Check::new(
        T,
        "cancelled-again-and-again",
        "contents that are cancelled again and again leave no descriptors",
        "A host may cancel an Open half-way.",
        "leaks-on-cancel",
        |bench| Box::pin(cancelled(bench)),
    )
    .of(&[Role::Importer])
    .needs(&[Need::Directory, Need::Proc]),
    Check::new(
        T,
        "random-tree",
        "a tree that was made by chance is listed and read as it is",
        "What is not listed is in no backup.",
        "forgets-odd-sizes",
        |bench| Box::pin(random_tree(bench)),
    )
    .of(&[Role::Importer])
    .needs(&[Need::Directory]),
    Check::new(
        T,
        "scans-again-and-again",
        "scans that are made again and again do not fill the memory",
        BOUNDED,
        "leaks-memory",
        |bench| Box::pin(scans(bench)),
    )
    .of(&[Role::Importer])
    .v1_1()
    .needs(&[Need::Directory, Need::Proc]),
    Check::new(
        T,
        "idle",
        "a connector that nothing is asked of does nothing",
        "A 1.1 host keeps the cache daemon's process for a long time.",
        "spins",
        |bench| Box::pin(idle(bench)),
    )
    .needs(&[Need::Proc])
    .full(),
    Check::new(
        T,
        "many-records",
        "a million records are listed, and the memory is bounded",
        BOUNDED,
        "breaks-off",
        |bench| Box::pin(many_records(bench)),
    )
    .of(&[Role::Importer])
    .needs(&[Need::Directory, Need::Proc])
    .full(),
    Check::new(
        T,
        "large-content",
        "a content of a gigabyte is read to its end, and the memory is bounded",
        BOUNDED,
        "stops-at-16-mib",
        |bench| Box::pin(large_content(bench)),
    )
    .of(&[Role::Importer])
    .needs(&[Need::Directory, Need::Proc])
    .full(),
    Check::new(
        T,
        "many-files",
        "of many files that are written none is missing",
        "The server sends one result for each record; one without an error is believed.",
        "loses-one-of-many",
        |bench| Box::pin(many_files(bench)),
    )
    .of(&[Role::Exporter])
    .needs(&[Need::Directory])
    .full(),
    Check::new(
        T,
        "many-objects",
        "many objects are listed in one message, and each comes back",
        "List is one message, and the host takes at most 4 MiB of it.",
        "lists-1000",
        |bench| Box::pin(many_objects(bench)),
    )
    .of(&[Role::Store])
    .full(),
    Check::new(
        T,
        "list-limit",
        "as many objects as fit into the host's largest message are listed, and of more none is left out in silence",
        "List is one message, and the host takes at most 4 MiB: about 123,000 MACs. Larger listings cannot be answered.",
        "lists-110000",
        |bench| Box::pin(list_limit(bench)),
    )
    .of(&[Role::Store])
    .needs(&[Need::Fresh])
    .full(),
];

/// Does so many things at once.
async fn at_once<F>(number: usize, one: impl Fn(usize) -> F) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let tasks: Vec<_> = (0..number).map(|n| tokio::spawn(one(n))).collect();
    for task in tasks {
        task.await.map_err(|error| failed("it runs", error))??;
    }
    Ok(())
}

async fn many_at_once(bench: &Bench) -> Outcome {
    const MANY: usize = 48;
    let content = Arc::new(bench.bytes(4 * CHUNK));
    let expected = |result: Result<Vec<u8>, Trouble>, content: &[u8]| match result {
        Ok(came) => must(came == content, "the whole content", format_args!("{} bytes that differ", came.len())),
        // More than it wants to do at once may be refused.
        Err(trouble) if trouble.is_answer() => Ok(()),
        Err(trouble) => Err(trouble.into()),
    };
    if bench.role() == Role::Store {
        let ready = bench.ready().await?;
        let mac = bench.mac();
        ready.connector.put_all(Resource::Packfile, &mac, &content).await?;
        let connector = Arc::new(ready.connector);
        at_once(MANY, |_| {
            let (connector, mac, content) = (connector.clone(), mac.clone(), content.clone());
            async move { expected(connector.get_all(Resource::Packfile, &mac, None).await, &content) }
        })
        .await?;
        return Ok(connector.ping().await?);
    }
    let mut tree = Tree::new(bench)?;
    tree.file("/first", &content)?;
    (1..MANY).try_for_each(|n| fs::hard_link(tree.at("/first"), tree.at(&format!("/{n}"))).map_err(not_here))?;
    let ready = bench.ready_at(tree).await?;
    let files = Arc::new(files(&ready.connector).await?);
    same("files", &MANY, &files.len())?;
    let connector = Arc::new(ready.connector);
    at_once(MANY, |n| {
        let (connector, files, content) = (connector.clone(), files.clone(), content.clone());
        async move { expected(connector.read(&files[n]).await, &content) }
    })
    .await?;
    Ok(connector.ping().await?)
}

/// The files that are listed; their results are never sent, so that they stay open to be read.
async fn files(connector: &Connected) -> Outcome<Vec<Record>> {
    let mut scan = connector.scan();
    let mut files = Vec::new();
    while let Some(record) = scan.next().await? {
        if record.has_reader && !record.is_xattr {
            files.push(record);
        } else {
            scan.result(record, "");
        }
    }
    // The call has to go on as long as something is read.
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(scan);
    });
    Ok(files)
}

async fn cancelled(bench: &Bench) -> Outcome {
    const MANY: usize = 60;
    let tree = Tree::new(bench)?;
    (0..MANY).try_for_each(|n| tree.sparse(&format!("/{n:02}"), 16 << 20, b"end"))?;
    let ready = bench.ready_at(tree).await?;
    let files = files(&ready.connector).await?;
    let before = usage::descriptors(ready.connector.pid())?;
    for file in &files {
        let mut content = ready.connector.open(file).await?;
        for _ in 0..1 + bench.below(3) {
            content.next().await?;
        }
        drop(content);
        ready.connector.close_reader(&file.pathname).await?;
    }
    ready.connector.ping().await?;
    let after = usage::settled(|| usage::descriptors(ready.connector.pid()), before + 20, bench.patience()).await?;
    must(after < before + 20, format_args!("about {before} descriptors"), format_args!("{after} after {MANY} contents"))
}

async fn random_tree(bench: &Bench) -> Outcome {
    let mut tree = Tree::new(bench)?;
    let mut directories = vec![String::new()];
    for n in 0..300 {
        let parent = directories[bench.below(directories.len())].clone();
        let letters: String = (0..1 + bench.below(11)).map(|_| bench.random(|random| random.alphanumeric())).collect();
        let path = format!("{parent}/{letters}-{n}");
        match bench.below(10) {
            0..3 => {
                tree.directory(&path)?;
                directories.push(path);
            }
            3 => tree.link(&path, &letters)?,
            _ => {
                tree.file(&path, &bench.bytes(bench.below(5000)))?;
            }
        }
    }
    let ready = bench.ready_at(tree).await?;
    let (root, tree) = (ready.place.root.trim_end_matches('/').to_owned(), ready.tree()?);
    let mut left: std::collections::BTreeSet<_> =
        tree.files.keys().chain(&tree.directories).chain(tree.links.keys()).map(|path| format!("{root}{path}")).collect();
    let mut scan = ready.connector.scan();
    while let Some(record) = scan.next().await? {
        left.remove(&record.pathname);
        if let Some(expected) =
            record.pathname.strip_prefix(&root).and_then(|path| tree.files.get(path)).filter(|_| !record.is_xattr)
        {
            let came = ready.connector.read(&record).await?;
            must(
                came == *expected,
                format_args!("the content of {}", record.pathname),
                format_args!("{} bytes that differ", came.len()),
            )?;
        }
        scan.result(record, "");
    }
    scan.finish().await?;
    must(
        left.is_empty(),
        "everything is listed",
        format_args!("{:?} and {} more are not", left.first(), left.len().saturating_sub(1)),
    )
}

async fn scans(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    if ready.place.flags & crate::Flags::STREAM.bits() != 0 {
        return skip("the connector has the flag `stream`: Import is called once");
    }
    ready.connector.list().await?;
    let before = usage::memory(ready.connector.pid())?;
    for _ in 0..30 {
        ready.connector.list().await?;
    }
    let after = usage::memory(ready.connector.pid())?;
    let grown = after.saturating_sub(before) >> 20;
    must(grown < 48, "about as much memory as after the first", format_args!("{grown} MiB more"))
}

async fn idle(bench: &Bench) -> Outcome {
    /// In hundredths of a second.
    const MOST: u64 = 15;
    const PAUSE: Duration = Duration::from_millis(100);
    const LOOKS: u32 = 20;
    let ready = bench.ready().await?;
    ready.connector.ping().await?;
    let pid = ready.connector.pid();
    let before = usage::ticks(pid)?;
    // What answers has to come to rest first.
    for _ in 0..LOOKS {
        if usage::sleeps(pid)? {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    // Where it gets no processor it uses none: what hardly ever sleeps is at work all the same.
    let (mut used, mut asleep) = (0, 0);
    for _ in 0..LOOKS {
        tokio::time::sleep(PAUSE).await;
        used = usage::ticks(pid)?.saturating_sub(before);
        asleep += u32::from(usage::sleeps(pid)?);
        if used >= MOST {
            break;
        }
    }
    must(used < MOST, "next to no time on a processor", format_args!("{} ms within two seconds at most", used * 10))?;
    must(2 * asleep > LOOKS, "that it sleeps", format_args!("of {LOOKS} times it was found asleep {asleep} times"))
}

async fn many_records(bench: &Bench) -> Outcome {
    let many = bench.setup().many;
    let mut tree = Tree::new(bench)?;
    for n in 0..many {
        let (directory, path) = (format!("/{}", n / 1000), format!("/{}/{n}", n / 1000));
        if n % 1000 == 0 {
            tree.directory(&directory)?;
        }
        // Names are cheaper than files.
        let first = n - n % NAMES;
        match n == first {
            true => fs::write(tree.at(&path), "").map_err(not_here)?,
            false => fs::hard_link(tree.at(&format!("/{}/{first}", first / 1000)), tree.at(&path)).map_err(not_here)?,
        }
    }
    let expected = many + tree.directories.len();
    let ready = bench.ready_at(tree).await?;
    let root = format!("{}/", ready.place.root.trim_end_matches('/'));
    let before = usage::peak(ready.connector.pid())?;
    let mut scan = ready.connector.scan();
    let mut came = 0;
    while let Some(record) = scan.next().await? {
        came += usize::from(record.error.is_empty() && !record.is_xattr && record.pathname.starts_with(&root));
        scan.result(record, "");
    }
    scan.finish().await?;
    same("records", &expected, &came)?;
    let grown = usage::peak(ready.connector.pid())?.saturating_sub(before);
    // In generation 1.0 nothing says which files will never be opened: each may be to the end.
    let most = 2 * MEMORY + if bench.v1_0() { OPENABLE * many as u64 } else { 0 };
    must(grown < most, format_args!("less than {} MiB", most >> 20), format_args!("{} MiB", grown >> 20))
}

async fn large_content(bench: &Bench) -> Outcome {
    let length = (bench.setup().many as u64) << 10;
    let tree = Tree::new(bench)?;
    tree.sparse("/large", length, b"the end")?;
    let ready = bench.ready_at(tree).await?;
    let files = files(&ready.connector).await?;
    let file = files.first().ok_or_else(|| failed("the file is listed", "it is not"))?;
    let before = usage::peak(ready.connector.pid())?;
    let mut content = ready.connector.open(file).await?;
    let (mut came, mut last) = (0, Vec::new());
    while let Some(chunk) = content.next().await? {
        came += chunk.len() as u64;
        last = chunk.to_vec();
    }
    same("bytes", &length, &came)?;
    must(last.ends_with(b"the end"), "the end of the file", "something else")?;
    let grown = usage::peak(ready.connector.pid())?.saturating_sub(before);
    must(grown < MEMORY, format_args!("less than {} MiB", MEMORY >> 20), format_args!("{} MiB", grown >> 20))
}

async fn many_files(bench: &Bench) -> Outcome {
    let many = (bench.setup().many / 50).max(1000);
    let ready = bench.ready().await?;
    let given: Vec<_> =
        std::iter::once(given::directory("/")).chain((0..many).map(|n| given::file(&format!("/{n}"), n.to_string()))).collect();
    for (path, error) in ready.connector.restore(&given, &ready.place.root).await? {
        must(error.is_none(), format_args!("{path} is written"), error.unwrap_or_default())?;
    }
    for n in 0..many {
        let came = fs::read(ready.path.join(n.to_string())).map_err(|error| failed(format_args!("/{n} is there"), error))?;
        same(format_args!("/{n}"), &n.to_string().into_bytes(), &came)?;
    }
    Ok(())
}

async fn many_objects(bench: &Bench) -> Outcome {
    let many = (bench.setup().many / 100).max(1500);
    let ready = bench.ready().await?;
    let store = Arc::new(ready.connector);
    let before = store.macs(Resource::State).await?.len();
    let macs = put_many(bench, &store, many).await?;
    same("how many are listed", &(before + many), &store.macs(Resource::State).await?.len())?;
    at_once(AT_ONCE, |task| {
        let (store, macs) = (store.clone(), macs.clone());
        async move {
            for mac in macs.iter().skip(task).step_by(AT_ONCE) {
                same("an object", mac, &store.get_all(Resource::State, mac, None).await?)?;
            }
            Ok(())
        }
    })
    .await
}

async fn list_limit(bench: &Bench) -> Outcome {
    if bench.setup().many < 1_000_000 {
        return skip("it takes more than a hundred thousand objects: leave --many as it is");
    }
    // A MAC takes 34 bytes in the message, and 36 in generation 1.0, where it is a message itself.
    let fit = LARGEST_MESSAGE / if bench.v1_0() { 36 } else { 34 };
    let ready = bench.ready().await?;
    let store = Arc::new(ready.connector);
    put_many(bench, &store, fit).await?;
    same("how many are listed", &fit, &store.macs(Resource::State).await?.len())?;
    put_many(bench, &store, 100).await?;
    match store.macs(Resource::State).await {
        // The host will say that the message is too large.
        Ok(macs) => same("how many are listed, or an error", &(fit + 100), &macs.len()),
        other => answered(other, "the listing of more"),
    }
}

/// Puts so many objects, each of which holds its own name.
async fn put_many(bench: &Bench, store: &Arc<Connected>, many: usize) -> Outcome<Arc<Vec<Vec<u8>>>> {
    let macs: Arc<Vec<_>> = Arc::new((0..many).map(|_| bench.mac()).collect());
    at_once(AT_ONCE, |task| {
        let (store, macs) = (store.clone(), macs.clone());
        async move {
            for mac in macs.iter().skip(task).step_by(AT_ONCE) {
                store.put_all(Resource::State, mac, mac).await?;
            }
            Ok(())
        }
    })
    .await?;
    Ok(macs)
}
