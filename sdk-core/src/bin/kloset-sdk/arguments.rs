//! The command line.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};
use kloset_sdk::host::{Error, Generation, Launch, Stderr};
use kloset_sdk::{Mac, Range, Resource};

use crate::Stop;
use crate::output::Output;

const CONNECTORS: &str = "\
Connectors:
  A connector is named by its command line, quoted as one word, and a location:
      --connector 'build/fs importer' fs:///srv/data
  It is started as plakar starts it, with pipes for standard input and output, and gets
  the location and every --option KEY=VALUE as its configuration. What it writes to
  standard error is shown.

Exit codes:
  0    everything was done
  1    something failed: an entry, or the whole on its way
  2    nothing was begun: wrong usage, or the connector did not start, or refused its
       configuration
  130  interrupted";

/// Try, inspect and use any Plakar connector without a backup program.
#[derive(Parser)]
#[command(name = "kloset-sdk", version, after_help = CONNECTORS, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// The generation of the protocol to speak: 1.1 as plakar 1.1 does, or 1.0. A connector is started for 1.0 with the
    /// arguments --protocol 1.0 after its own, as a manifest for plakar 1.0 has them
    #[arg(long, global = true, value_name = "1.0|1.1", default_value = "1.1")]
    pub(crate) generation: Generation,

    /// Do not add --protocol 1.0 to the arguments: for a connector that knows generation 1.0 alone
    #[arg(long, global = true)]
    no_protocol_argument: bool,

    /// How long a connector may take to answer its first call
    #[arg(long, global = true, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// How long a connector may take to close, and then to end, before it is killed
    #[arg(long, global = true, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) exit_timeout: Duration,

    /// No progress, no summary
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List what an importer finds
    Ls(Ls),
    /// Write the content of one file that an importer finds to standard output
    Cat(Cat),
    /// Copy everything that an importer finds into an exporter
    Copy(Copy),
    /// Check whether a connector does what Plakar needs
    Check(crate::check::Check),
    /// Put, get, list and delete objects of a store
    #[command(after_help = CONNECTORS)]
    Store(Store),
}

impl Arguments {
    /// Whether connectors are told the generation by an argument.
    pub(crate) fn names_generation(&self) -> bool {
        self.generation != Generation::V1_1 && !self.no_protocol_argument
    }
}

impl Command {
    pub(crate) fn json(&self) -> bool {
        match self {
            Command::Ls(ls) => ls.json,
            Command::Copy(copy) => copy.json,
            Command::Check(check) => check.json,
            Command::Store(store) => store.command.json(),
            Command::Cat(_) => false,
        }
    }
}

#[derive(Args)]
pub(crate) struct Connector {
    /// The connector: its command line as one word, and the location
    #[arg(short, long, num_args = 2, value_names = ["COMMAND", "LOCATION"], required = true, action = ArgAction::Set)]
    connector: Vec<String>,

    /// An option for the connector; may be given several times
    #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = key_and_value)]
    options: Vec<(String, String)>,

    /// The protocol that the connector is told; default: what stands before :// in the location
    #[arg(long, value_name = "NAME")]
    protocol: Option<String>,
}

/// What an importer is told of the user's wishes.
#[derive(Args)]
pub(crate) struct Wishes {
    /// A pattern, in the syntax of .gitignore, of what the importer is to leave out; may be given several times
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,

    /// Ask the importer for no extended attributes
    #[arg(long)]
    no_xattr: bool,

    /// How many files are read at once; default: the number of cores less one, as with plakar
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) jobs: Option<u32>,
}

#[derive(Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) connector: Connector,
    #[command(flatten)]
    pub(crate) wishes: Wishes,

    /// Type, permissions, owner, size, time (UTC), link target and the names of extended attributes
    #[arg(short, long)]
    pub(crate) long: bool,

    /// A JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Cat {
    #[command(flatten)]
    pub(crate) connector: Connector,
    #[command(flatten)]
    pub(crate) wishes: Wishes,

    /// The value of this extended attribute instead of the content
    #[arg(long, value_name = "NAME")]
    pub(crate) xattr: Option<String>,

    /// The path: absolute, or relative to the importer's root
    pub(crate) path: String,
}

#[derive(Args)]
pub(crate) struct Copy {
    /// The importer: its command line as one word, and the location
    #[arg(long, num_args = 2, value_names = ["COMMAND", "LOCATION"], required = true, action = ArgAction::Set)]
    from: Vec<String>,

    /// The exporter: its command line as one word, and the location
    #[arg(long, num_args = 2, value_names = ["COMMAND", "LOCATION"], required = true, action = ArgAction::Set)]
    to: Vec<String>,

    /// An option for the importer; may be given several times
    #[arg(long = "from-option", value_name = "KEY=VALUE", value_parser = key_and_value)]
    from_options: Vec<(String, String)>,

    /// An option for the exporter; may be given several times
    #[arg(long = "to-option", value_name = "KEY=VALUE", value_parser = key_and_value)]
    to_options: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) wishes: Wishes,

    /// Name every entry on standard output
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// A JSON object a line: every entry, every error, the summary
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Store {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

#[derive(Subcommand)]
pub(crate) enum StoreCommand {
    /// Make a new repository
    Create {
        #[command(flatten)]
        common: StoreCommon,
        /// What the store is to keep as the repository's configuration; - is standard input
        file: Option<PathBuf>,
    },
    /// Tell where a store is, what may be done with it, how large it is and what it keeps
    Info {
        #[command(flatten)]
        common: StoreCommon,
    },
    /// Put a file as an object, and print its MAC
    Put {
        #[command(flatten)]
        common: StoreCommon,
        /// packfile, state, lock, ecc-packfile or ecc-state
        kind: Resource,
        /// 64 hexadecimal digits; - makes one up
        mac: String,
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Get an object, or a part of it
    Get {
        #[command(flatten)]
        common: StoreCommon,
        /// packfile, state, lock, ecc-packfile or ecc-state
        kind: Resource,
        /// 64 hexadecimal digits
        mac: Mac,
        /// From this byte on so many bytes: 4096+100
        #[arg(long, value_name = "OFFSET+LENGTH", value_parser = range)]
        range: Option<Range>,
        /// Write to this file instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List the MACs of objects
    Ls {
        #[command(flatten)]
        common: StoreCommon,
        /// packfile, state, lock, ecc-packfile or ecc-state; default: each, with its name before the MAC
        kind: Option<Resource>,
    },
    /// Delete objects
    Rm {
        #[command(flatten)]
        common: StoreCommon,
        /// packfile, state, lock, ecc-packfile or ecc-state
        kind: Resource,
        /// 64 hexadecimal digits each
        #[arg(required = true)]
        mac: Vec<Mac>,
    },
    /// Put files, find them listed, get them whole and by ranges, compare, and delete them
    Roundtrip {
        #[command(flatten)]
        common: StoreCommon,
        /// As which kind of object; may be given several times
        #[arg(long, value_name = "KIND", default_value = "packfile")]
        kind: Vec<Resource>,
        /// The files
        #[arg(required = true)]
        file: Vec<PathBuf>,
    },
}

#[derive(Args)]
pub(crate) struct StoreCommon {
    #[command(flatten)]
    pub(crate) connector: Connector,

    /// Make a new repository if there is none
    #[arg(long)]
    pub(crate) create: bool,

    /// A JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

impl StoreCommand {
    pub(crate) fn common(&self) -> &StoreCommon {
        match self {
            StoreCommand::Create { common, .. }
            | StoreCommand::Info { common }
            | StoreCommand::Put { common, .. }
            | StoreCommand::Get { common, .. }
            | StoreCommand::Ls { common, .. }
            | StoreCommand::Rm { common, .. }
            | StoreCommand::Roundtrip { common, .. } => common,
        }
    }

    fn json(&self) -> bool {
        self.common().json
    }
}

impl Connector {
    pub(crate) fn launch(&self, arguments: &Arguments, output: &Arc<Output>) -> Result<Launch, Stop> {
        let mut launch = launch(arguments, &self.connector, &self.options, output)?;
        if let Some(protocol) = &self.protocol {
            launch.protocol.clone_from(protocol);
        }
        Ok(launch)
    }
}

impl Copy {
    pub(crate) fn importer(&self, arguments: &Arguments, output: &Arc<Output>) -> Result<Launch, Stop> {
        let mut launch = launch(arguments, &self.from, &self.from_options, output)?;
        self.wishes.tell(&mut launch)?;
        Ok(launch)
    }

    pub(crate) fn exporter(&self, arguments: &Arguments, output: &Arc<Output>) -> Result<Launch, Stop> {
        let mut launch = launch(arguments, &self.to, &self.to_options, output)?;
        launch.host.max_concurrency = self.wishes.jobs.unwrap_or(launch.host.max_concurrency);
        Ok(launch)
    }
}

impl Wishes {
    pub(crate) fn tell(&self, launch: &mut Launch) -> Result<(), Stop> {
        if launch.generation == Generation::V1_0 && !self.exclude.is_empty() {
            let text =
                "--exclude: generation 1.0 of the protocol has no room for patterns; plakar 1.0 leaves files out by itself";
            return Err(Stop::not_started(Error::local(text)));
        }
        launch.host.excludes.clone_from(&self.exclude);
        launch.host.no_xattr = self.no_xattr;
        launch.host.max_concurrency = self.jobs.unwrap_or(launch.host.max_concurrency);
        Ok(())
    }
}

fn launch(
    arguments: &Arguments,
    connector: &[String],
    options: &[(String, String)],
    output: &Arc<Output>,
) -> Result<Launch, Stop> {
    let [command, location] = connector else { unreachable!("clap asks for two values") };
    let mut launch = Launch::new(command.parse().map_err(Stop::not_started)?, location);
    for (key, value) in options {
        launch.option(key, value);
    }
    launch.generation = arguments.generation;
    launch.names_generation = !arguments.no_protocol_argument;
    launch.first_answer = arguments.timeout;
    launch.grace = arguments.exit_timeout;
    let output = output.clone();
    launch.stderr = Stderr::Lines(Arc::new(move |line| output.note(line)));
    Ok(launch)
}

pub(crate) fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "write a number of seconds, such as 30 or 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn range(text: &str) -> Result<Range, String> {
    let wrong = || "write it as OFFSET+LENGTH, such as 4096+100".to_owned();
    let (offset, length) = text.split_once('+').ok_or_else(wrong)?;
    Ok(Range { offset: offset.parse().map_err(|_| wrong())?, length: length.parse().map_err(|_| wrong())? })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_ranges_and_times_are_read_or_refused_with_an_example() {
        assert_eq!(key_and_value("a=b=c").unwrap(), ("a".into(), "b=c".into()));
        assert_eq!(key_and_value("a=").unwrap().1, "");
        assert_eq!(key_and_value("=x").unwrap_err(), "write it as KEY=VALUE");
        assert_eq!(range("5+7").unwrap(), Range { offset: 5, length: 7 });
        assert_eq!(range("5-7").unwrap_err(), "write it as OFFSET+LENGTH, such as 4096+100");
        assert_eq!(seconds("0.5").unwrap(), Duration::from_millis(500));
        assert!(seconds("-1").is_err() && seconds("soon").is_err());
    }
}
