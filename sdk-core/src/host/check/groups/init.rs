//! How a connector is made, asked and closed.

use crate::host::check::bench::{Bench, make_directory, not_here};
use crate::host::check::calls::{Connected, Init, Place};
use crate::host::check::catalogue::{Check, Group, Need, Role};
use crate::host::check::given;
use crate::host::check::ready::CONFIG;
use crate::host::check::stop::{Outcome, Trouble, answered, failed, is_reworded, must, refused, same};
use crate::host::check::tree::Tree;
use crate::{Flags, Resource, path};

const I: Group = Group::Init;
const CONSTRUCTOR: &str = "The host's `config check` is Init and nothing else: it must fail on a bad configuration.";
const BROKEN: &str = "A broken host, or a test, may send it: answer with an error, do not die.";

pub(super) const CHECKS: &[Check] = &[
    Check::new(I, "accepts", "a right configuration is accepted", "Init makes the instance.", "refuses-everything", |bench| {
        Box::pin(accepts(bench))
    }),
    Check::new(
        I,
        "origin-and-type",
        "Init says an origin and a type",
        "The host shows both to the user, and files snapshots under them.",
        "no-type",
        |bench| Box::pin(origin_and_type(bench)),
    )
    .v1_1(),
    Check::new(
        I,
        "root",
        "the root is an absolute, clean path",
        "Pathnames are absolute, separated by slashes, clean; they lie at or below the root.",
        "relative-root",
        |bench| Box::pin(root(bench)),
    )
    .of(&[Role::Importer, Role::Exporter]),
    Check::new(
        I,
        "flags",
        "Init sets no flags but those that there are",
        "Flags are localfs 1, file 2, stream 4, needack 8, nomerge 16, exportxattr 32.",
        "unknown-flag",
        |bench| Box::pin(flags(bench)),
    )
    .v1_1(),
    Check::new(
        I,
        "no-options",
        "an Init without options is refused, and the process goes on",
        BROKEN,
        "accepts-no-options",
        |bench| Box::pin(no_options(bench)),
    )
    .of(&[Role::Importer, Role::Exporter]),
    Check::new(
        I,
        "no-location",
        "an Init without a location is refused, and the process goes on",
        BROKEN,
        "accepts-no-location",
        |bench| Box::pin(no_location(bench)),
    ),
    Check::new(
        I,
        "bad-location",
        "a location that cannot be is refused by Init",
        CONSTRUCTOR,
        "accepts-bad-locations",
        |bench| Box::pin(bad_location(bench)),
    )
    .needs(&[Need::Directory]),
    Check::new(
        I,
        "bad-location-named",
        "the error of a location that cannot be names it",
        "The user reads the text of the error and nothing else.",
        "vague-errors",
        |bench| Box::pin(bad_location_named(bench)),
    )
    .needs(&[Need::Directory]),
    Check::new(
        I,
        "error-code",
        "the error of Init is neither UNAVAILABLE nor CANCELLED",
        "The host replaces the texts of both by words of its own.",
        "unavailable",
        |bench| Box::pin(error_code(bench)),
    ),
    Check::new(
        I,
        "error-text",
        "the error of Init has a text",
        "The host drops the code of an error and keeps its text.",
        "errors-without-text",
        |bench| Box::pin(error_text(bench)),
    ),
    Check::new(
        I,
        "passphrase",
        "a passphrase that nobody asked for is no reason to refuse",
        "Some commands pass `passphrase` and `passphrase_cmd` along to a connector that never asked for them.",
        "refuses-passphrases",
        |bench| Box::pin(passphrase(bench)),
    ),
    Check::new(I, "ping", "Ping is answered once Init was", "The host pings what it has opened.", "ping-fails", |bench| {
        Box::pin(ping(bench))
    }),
    Check::new(I, "before-init", "a call before Init is refused, and Init works then", BROKEN, "serves-before-init", |bench| {
        Box::pin(before_init(bench))
    }),
    Check::new(
        I,
        "second-init",
        "a second Init is answered, and the first instance goes on",
        BROKEN,
        "dies-at-second-init",
        |bench| Box::pin(second_init(bench)),
    ),
    Check::new(
        I,
        "after-close",
        "a call after Close is refused, and the process ends well",
        "A closed instance is gone; what still comes must not reach what was freed.",
        "serves-after-close",
        |bench| Box::pin(after_close(bench)),
    )
    .of(&[Role::Importer, Role::Exporter]),
    Check::new(
        I,
        "second-close",
        "a second Close is answered, and the process ends well",
        "A closed instance is gone; what still comes must not reach what was freed.",
        "dies-at-second-close",
        |bench| Box::pin(second_close(bench)),
    ),
    Check::new(
        I,
        "close-without-init",
        "Close without Init is answered, and the process ends well",
        "A host whose Init failed may close all the same.",
        "dies-at-close-without-init",
        |bench| Box::pin(close_without_init(bench)),
    ),
    Check::new(
        I,
        "side-by-side",
        "a call is answered while another one waits for the host",
        "The host opens files while it scans, and runs its calls for several objects at the same time.",
        "one-call-at-a-time",
        |bench| Box::pin(side_by_side(bench)),
    ),
    Check::new(
        I,
        "unclean-location",
        "a location with double slashes and dots gives a clean root, or an error",
        "Users write such locations; pathnames have to be clean.",
        "unclean-root",
        |bench| Box::pin(unclean_location(bench)),
    )
    .of(&[Role::Importer, Role::Exporter])
    .needs(&[Need::Directory]),
    Check::new(
        I,
        "odd-location",
        "a location with blanks, percent signs and other letters is taken as it stands",
        "The location is `<proto>://<rest>`, and the rest is nobody's to decode.",
        "decodes-locations",
        |bench| Box::pin(odd_location(bench)),
    )
    .needs(&[Need::Directory]),
];

async fn accepts(bench: &Bench) -> Outcome {
    bench.start().await?.init_at(&bench.location()?).await?;
    Ok(())
}

async fn made(bench: &Bench) -> Outcome<Place> {
    let connector = bench.start().await?;
    Ok(connector.init_at(&bench.location()?).await?)
}

async fn origin_and_type(bench: &Bench) -> Outcome {
    let Place { origin, kind, .. } = made(bench).await?;
    must(!origin.is_empty() && !kind.is_empty(), "neither is empty", format_args!("origin {origin:?}, type {kind:?}"))
}

async fn root(bench: &Bench) -> Outcome {
    let root = made(bench).await?.root;
    must(is_clean(&root), "an absolute, clean path", format_args!("{root:?}"))
}

/// Whether a path is absolute and clean.
pub(super) fn is_clean(text: &str) -> bool {
    text.starts_with('/') && path::clean(text) == text
}

async fn flags(bench: &Bench) -> Outcome {
    let flags = made(bench).await?.flags;
    let known = Flags::LOCAL_FS | Flags::FILE | Flags::STREAM | Flags::NEED_ACK | Flags::NO_MERGE | Flags::EXPORT_XATTR;
    must(flags & !known.bits() == 0, "no other bits than 1 to 32", format_args!("{flags}"))
}

async fn no_options(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    let location = bench.location()?;
    let init = Init { with_options: false, ..Init::at(bench, &location) };
    refused(connector.init(&init).await, "an Init without options")?;
    answered(connector.init_at(&location).await, "the next Init")
}

/// What lacks a location.
fn nowhere(bench: &Bench) -> Init {
    let mut init = Init::at(bench, "");
    init.config.remove("location");
    init
}

async fn no_location(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    refused(connector.init(&nowhere(bench)).await, "an Init without a location")?;
    answered(connector.init_at(&bench.location()?).await, "the next Init")
}

/// A place where the role cannot be: an importer finds nothing there, the others find a file in the way.
fn impossible(bench: &Bench) -> Outcome<String> {
    let path = bench.new_path();
    if bench.role() == Role::Importer {
        return Ok(path.join("absent").display().to_string());
    }
    std::fs::write(&path, "in the way").map_err(not_here)?;
    Ok(path.display().to_string())
}

async fn bad_location(bench: &Bench) -> Outcome {
    let (connector, path) = (bench.start().await?, impossible(bench)?);
    let location = format!("{}://{path}", bench.setup().protocol);
    let what = if bench.role() == Role::Importer { "a directory that is not there" } else { "a location that is a file" };
    refused(connector.init_at(&location).await, what).map(drop)
}

async fn bad_location_named(bench: &Bench) -> Outcome {
    let (connector, path) = (bench.start().await?, impossible(bench)?);
    let location = format!("{}://{path}", bench.setup().protocol);
    let status = refused(connector.init_at(&location).await, "a location that cannot be")?;
    must(status.message().contains(&path), format_args!("the text names {path}"), format_args!("{:?}", status.message()))
}

async fn error_code(bench: &Bench) -> Outcome {
    let status = refused(bench.start().await?.init(&nowhere(bench)).await, "an Init without a location")?;
    must(!is_reworded(&status), "another code", format_args!("{:?}: {}", status.code(), status.message()))
}

async fn error_text(bench: &Bench) -> Outcome {
    let status = refused(bench.start().await?.init(&nowhere(bench)).await, "an Init without a location")?;
    must(!status.message().trim().is_empty(), "a text", format_args!("none, with the code {:?}", status.code()))
}

async fn passphrase(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    let mut init = Init::at(bench, &bench.location()?);
    init.config.insert("passphrase".into(), "correct horse battery staple".into());
    init.config.insert("passphrase_cmd".into(), "cat /etc/passphrase".into());
    connector.init(&init).await?;
    Ok(())
}

async fn ping(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.connector.ping().await?;
    ready.connector.end().await
}

/// A call that does what the role is for.
pub(super) async fn something(connector: &Connected, root: &str) -> Result<(), Trouble> {
    let v1_0 = connector.bench().v1_0();
    match connector.bench().role() {
        Role::Importer => connector.list().await.map(drop),
        Role::Exporter if v1_0 => {
            connector.create_directory(root.to_owned()).await?;
            connector.store_file(&format!("{}/file", root.trim_end_matches('/')), 0, Default::default()).await
        }
        Role::Exporter => connector.restore(&[given::directory("/")], "/").await.map(drop),
        Role::Store => connector.macs(Resource::State).await.map(drop),
    }
}

async fn before_init(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    refused(something(&connector, "/check").await, "a call before Init")?;
    connector.init_at(&bench.location()?).await?;
    connector.end().await
}

async fn second_init(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let cookie = ready.connector.cookie();
    answered(ready.connector.init_at(&ready.location).await, "a second Init")?;
    ready.connector.set_cookie(&cookie);
    ready.work().await?;
    ready.connector.end().await
}

async fn ends_well(connector: &Connected) -> Outcome {
    match connector.abandon().await? {
        Some(status) => must(status.success(), "the process ends with exit code 0", format_args!("it ended with {status}")),
        None => Ok(()),
    }
}

async fn after_close(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.connector.close().await?;
    refused(something(&ready.connector, &ready.place.root).await, "a call after Close")?;
    ends_well(&ready.connector).await
}

async fn second_close(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.connector.close().await?;
    answered(ready.connector.close().await, "a second Close")?;
    ends_well(&ready.connector).await
}

async fn close_without_init(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    answered(connector.close().await, "Close without Init")?;
    ends_well(&connector).await
}

async fn side_by_side(bench: &Bench) -> Outcome {
    let ready = bench.ready_for_long().await?;
    let _busy = ready.busy().await?;
    ready.connector.ping().await.map_err(|trouble| failed("Ping is answered while another call waits", trouble))
}

async fn unclean_location(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    let path = bench.new_path();
    make_directory(&path)?;
    let location =
        format!("{}://{}//./../{}/", bench.setup().protocol, path.display(), path.file_name().unwrap_or_default().display());
    match connector.init_at(&location).await {
        Ok(place) => must(is_clean(&place.root), "a clean root, or an error", format_args!("the root {:?}", place.root)),
        other => answered(other, "such a location"),
    }
}

async fn odd_location(bench: &Bench) -> Outcome {
    const NAME: &str = "a b%20c+ü&d='e'#f?g";
    let path = bench.folder().join(NAME);
    let location = bench.location_of(&path);
    match bench.role() {
        Role::Importer => {
            let mut tree = Tree::new(bench)?;
            std::fs::rename(&tree.path, &path).map_err(not_here)?;
            tree.path.clone_from(&path);
            tree.file("/file", b"content")?;
            let ready = bench.ready_at(tree).await?;
            let found = ready.connector.entries().await?;
            must(found.contains_key(&ready.below("/file")), "the file there is listed", format_args!("{:?}", found.keys()))
        }
        Role::Exporter => {
            let connector = bench.start().await?;
            let place = connector.init_at(&location).await?;
            connector.restore(&[given::directory("/"), given::file("/file", "content")], &place.root).await?;
            let written = std::fs::read(path.join("file")).unwrap_or_default();
            same("the file is written there", &b"content".to_vec(), &written)
        }
        Role::Store => {
            let connector = bench.start().await?;
            connector.init_at(&location).await?;
            connector.create(CONFIG).await?;
            must(path.exists(), "the repository is there", "it is somewhere else")
        }
    }
}
