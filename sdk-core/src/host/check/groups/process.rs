//! The life of the process.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use crate::host::check::bench::{Bench, not_here};
use crate::host::check::calls::{Connected, Init};
use crate::host::check::catalogue::{Check, Group, Need, Role};
use crate::host::check::link::Link;
use crate::host::check::setup::Place;
use crate::host::check::stop::{Outcome, failed, must};
use crate::host::check::tree::Tree;
use crate::{Resource, secrets};

const P: Group = Group::Process;
const WAITS: &str = "The host closes the pipes and waits for the process: one that stays hangs the host for ever.";

const KILLED: &str = "SIGKILL closes both pipes at once: writing fails, and the process has to end all the same.";

/// What is asked again and again is asked so often.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        P,
        "exit-code",
        "after Close and the end of its input the process ends with exit code 0",
        WAITS,
        "exit-code-1",
        |bench| Box::pin(exit_code(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "eof-unspoken",
        "the end of standard input ends a process that nothing was said to",
        WAITS,
        "stays-unspoken",
        |bench| Box::pin(eof_unspoken(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "eof-idle",
        "the end of standard input ends a process that was never closed",
        "Often there is no Close at all: the host just ends, and the connector finds its input at its end.",
        "stays-idle",
        |bench| Box::pin(eof_idle(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "eof-clean",
        "a process whose host ended without Close does not crash",
        "Often there is no Close at all: that is no reason to abort.",
        "aborts-at-the-end",
        |bench| Box::pin(eof_clean(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "eof-in-call",
        "the end of standard input ends the process in the middle of a call",
        "A host that is killed in a backup leaves no orphan behind.",
        "stays-in-a-call",
        |bench| Box::pin(eof_in_call(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "gone-in-init",
        "a host that is killed while it waits for Init leaves no process behind",
        KILLED,
        "stays-in-init",
        |bench| Box::pin(gone_in_init(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "gone-in-call",
        "a host that is killed in the middle of a scan, a file or a put leaves no process behind",
        KILLED,
        "stays-in-a-call",
        |bench| Box::pin(gone_in_call(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "gone-in-close",
        "a host that is killed while it waits for Close leaves no process behind",
        KILLED,
        "stays-in-close",
        |bench| Box::pin(gone_in_close(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "hang-up",
        "a host that is killed while the connector sends leaves no process behind",
        KILLED,
        "survives-a-broken-pipe",
        |bench| Box::pin(hang_up(bench)),
    )
    .of(&[Role::Importer, Role::Store])
    .needs(&[Need::Process]),
    Check::new(
        P,
        "interrupt",
        "an interrupt from the terminal lets the host close first",
        "Ctrl-C reaches every process of the terminal: a connector that dies of it breaks what the host still has to do.",
        "dies-of-interrupts",
        |bench| Box::pin(interrupt(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "children",
        "no process of the connector's own is left when it has ended",
        "No orphan outlives its host.",
        "leaves-a-child",
        |bench| Box::pin(children(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "stdout-at-start",
        "nothing is printed to standard output before the first answer",
        "Bytes that are written to standard output outside of HTTP/2 break the connection.",
        "prints-at-start",
        |bench| Box::pin(stdout_at_start(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "stdout-to-the-end",
        "nothing is printed to standard output from the first call to the last",
        "Bytes that are written to standard output outside of HTTP/2 break the connection.",
        "prints-at-close",
        |bench| Box::pin(stdout_to_the_end(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "stderr-gone",
        "standard error that nobody reads any more does no harm",
        "Standard error is the host's own, or a log that may be gone: a line that cannot be written is no reason to die.",
        "dies-without-stderr",
        |bench| Box::pin(stderr_gone(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "secrets",
        "the value of a secret option is in no log line and in no error",
        "Log lines end up in terminals and bug reports: values of secret options are masked.",
        "logs-the-password",
        |bench| Box::pin(secret(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "socket",
        "with PLAKAR_PLUGIN_LISTEN it serves on that socket",
        "Plakar's container runner names a socket in PLAKAR_PLUGIN_LISTEN=unix:///path, and connects once.",
        "no-socket",
        |bench| Box::pin(socket(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "not-http2",
        "what is no HTTP/2 on standard input ends the process",
        "A process that was started wrongly must not wait for ever for something that it understands.",
        "waits-after-garbage",
        |bench| Box::pin(not_http2(bench)),
    )
    .needs(&[Need::Process]),
    Check::new(
        P,
        "unknown-method",
        "a method that is not there is answered with an error, and the next call is served",
        "Newer hosts may ask for what is not there yet.",
        "dies-of-unknown-methods",
        |bench| Box::pin(unknown_method(bench)),
    ),
];

async fn exit_code(bench: &Bench) -> Outcome {
    bench.ready().await?.connector.end().await
}

async fn eof_unspoken(bench: &Bench) -> Outcome {
    let mut child = bench.spawn(bench.command()?)?;
    drop((child.stdin.take(), child.stdout.take()));
    ends(bench, &mut child, "at the end of its input, before anything was said").await
}

async fn ends(bench: &Bench, child: &mut tokio::process::Child, when: &str) -> Outcome {
    let grace = bench.setup().grace;
    match timeout(grace, child.wait()).await {
        Ok(_) => Ok(()),
        Err(_) => Err(failed(
            format_args!("the process ends {when}"),
            format_args!("it was still there {} s later", grace.as_secs_f64()),
        )),
    }
}

async fn eof_idle(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.connector.link().end_input();
    ready.connector.exit("at the end of its input, without Close").await.map(drop)
}

async fn eof_clean(bench: &Bench) -> Outcome {
    use std::os::unix::process::ExitStatusExt;
    let ready = bench.ready().await?;
    ready.work().await?;
    let status = ready.connector.abandon().await?;
    let killed = status.and_then(|status| status.signal());
    must(killed.is_none(), "the process ends by itself", format_args!("it ended by signal {}", killed.unwrap_or_default()))
}

async fn eof_in_call(bench: &Bench) -> Outcome {
    let ready = bench.ready_for_long().await?;
    let _busy = ready.busy().await?;
    ready.connector.link().end_input();
    ready.connector.exit("at the end of its input, in the middle of a call").await.map(drop)
}

async fn gone_in_init(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    let location = bench.location()?;
    while_asked(&connector, connector.init_at(&location)).await
}

async fn gone_in_call(bench: &Bench) -> Outcome {
    let ready = bench.ready_for_long().await?;
    let _busy = ready.busy().await?;
    ready.connector.abandon().await.map(drop)
}

async fn gone_in_close(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    while_asked(&ready.connector, ready.connector.close()).await
}

/// The host is gone when a call has arrived, whether it was answered or not.
async fn while_asked<T>(connector: &Connected, call: impl Future<Output = T>) -> Outcome {
    let mut call = std::pin::pin!(call);
    tokio::select! {
        biased;
        _ = &mut call => {}
        // What comes later is answered later, or at the same time, whatever with.
        _ = connector.ping() => {}
    }
    connector.abandon().await.map(drop)
}

async fn hang_up(bench: &Bench) -> Outcome {
    const LENGTH: usize = 8 << 20;
    if bench.role() == Role::Store {
        let ready = bench.ready().await?;
        let mac = bench.mac();
        ready.connector.put_all(Resource::Packfile, &mac, &bench.bytes(LENGTH)).await?;
        let mut got = ready.connector.get(Resource::Packfile, &mac, None).await?;
        got.next().await?;
        return ready.connector.abandon().await.map(drop);
    }
    let ready = match bench.setup().place {
        Place::Directory => {
            let mut tree = Tree::new(bench)?;
            tree.file("/large", &bench.bytes(LENGTH))?;
            bench.ready_at(tree).await?
        }
        Place::Location(_) => bench.ready().await?,
    };
    let mut scan = ready.connector.scan();
    while let Some(record) = scan.next().await? {
        if record.has_reader {
            let mut content = ready.connector.open(&record).await?;
            content.next().await?;
            return ready.connector.abandon().await.map(drop);
        }
    }
    ready.connector.abandon().await.map(drop)
}

async fn interrupt(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.connector.signal(Signal::INT);
    let expected = "after an interrupt the host can still call and close";
    ready.connector.ping().await.map_err(|trouble| failed(expected, trouble))?;
    ready.connector.end().await
}

async fn children(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    ready.work().await?;
    ready.connector.abandon().await?;
    // The kernel may take a moment to be done with those that end together with it.
    let until = Instant::now() + bench.setup().grace;
    while bench.has_left_something() {
        if Instant::now() > until {
            return Err(failed("no process of the connector's is left", "one of its process group still runs"));
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

fn nothing_printed(connector: &Connected) -> Outcome {
    let printed = connector.link().garbage();
    must(printed.is_none(), "nothing but HTTP/2 on standard output", format_args!("{:?}", printed.unwrap_or_default()))
}

async fn stdout_at_start(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    let answer = connector.init_at(&bench.location()?).await;
    nothing_printed(&connector)?;
    answer.map(drop).map_err(Into::into)
}

async fn stdout_to_the_end(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    let worked = ready.work().await;
    nothing_printed(&ready.connector)?;
    worked?;
    let closed = ready.connector.close().await;
    ready.connector.link().end_input();
    ready.connector.exit("after Close and the end of its input").await?;
    ready.connector.link().at_end(bench.setup().grace).await;
    nothing_printed(&ready.connector)?;
    closed.map_err(Into::into)
}

async fn stderr_gone(bench: &Bench) -> Outcome {
    let (reader, writer) = std::io::pipe().map_err(not_here)?;
    let mut command = bench.command()?;
    command.stderr(writer);
    drop(reader);
    let connector = bench.start_command(command).await?;
    // Refused configurations are what most connectors log.
    let nowhere = Init { config: Default::default(), ..Init::at(bench, "") };
    let expected = "it is served although nobody reads standard error";
    let refused = connector.init(&nowhere).await;
    if let Err(trouble) = refused.map(drop).or_else(|trouble| if trouble.is_answer() { Ok(()) } else { Err(trouble) }) {
        return Err(failed(expected, trouble));
    }
    connector.init_at(&bench.location()?).await.map_err(|trouble| failed(expected, trouble))?;
    connector.end().await
}

async fn secret(bench: &Bench) -> Outcome {
    let connector = bench.start().await?;
    let value = format!("s3cret-{:08x}", bench.random(|random| random.u32(..)));
    let mut texts = Vec::new();
    for name in ["password", "passphrase", "secret_access_key"] {
        debug_assert!(secrets::is_secret_name(name));
        let mut init = Init::at(bench, &bench.location()?);
        init.config.insert(name.to_owned(), value.clone());
        if let Err(trouble) = connector.init(&init).await {
            texts.push(trouble.to_string());
        }
    }
    connector.abandon().await?;
    for text in texts {
        must(!text.contains(&value), "no error holds the value of a secret option", text.replace(&value, "<the value>"))?;
    }
    let log = bench.log().await;
    let line = log.lines().find(|line| line.contains(&value)).unwrap_or_default();
    must(line.is_empty(), "no log line holds the value of a secret option", line.replace(&value, "<the value>"))
}

async fn socket(bench: &Bench) -> Outcome {
    let path = bench.folder().join("socket");
    let mut command = bench.command()?;
    command.env("PLAKAR_PLUGIN_LISTEN", format!("unix://{}", path.display())).stdin(Stdio::null());
    let mut child = bench.spawn(command)?;
    let until = Instant::now() + bench.setup().grace;
    let stream = loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => break stream,
            Err(error) => match child.try_wait() {
                Ok(Some(status)) => {
                    return Err(failed("it listens on the socket", format_args!("the process ended instead ({status})")));
                }
                _ if Instant::now() > until => return Err(failed("it listens on the socket", error)),
                _ => sleep(PAUSE).await,
            },
        }
    };
    let (output, input) = stream.into_split();
    let link = Link::connect(output, input).await.map_err(|error| failed("the connection is made", error))?;
    let connector = Connected::new(bench.clone(), link, Some(child), None);
    connector.init_at(&bench.location()?).await?;
    connector.end().await
}

async fn not_http2(bench: &Bench) -> Outcome {
    let mut child = bench.spawn(bench.command()?)?;
    let mut input = child.stdin.take().ok_or_else(|| failed("its input is a pipe", "it is none"))?;
    let _ = input.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let _ = input.flush().await;
    ends(bench, &mut child, "when what comes is no HTTP/2").await
}

async fn unknown_method(bench: &Bench) -> Outcome {
    let ready = bench.ready().await?;
    crate::host::check::stop::refused(ready.connector.unknown_method().await, "a method that is not there")?;
    ready.connector.ping().await?;
    ready.connector.end().await
}
