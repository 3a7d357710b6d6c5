//! The command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::Stop;
use super::completions::{Completions, Man};
use super::du::Du;
use super::output::Output;
use super::record::Record;
use super::relay::Relay;
use super::replay::Replay;
use super::show::Show;
use crate::host::{CommandLine, Error, Generation, Launch, Started, Stderr};
use crate::{Mac, Range, Resource};

const CONNECTORS: &str = "\
Connectors:
  A connector is named by its command line, quoted as one word, and a location:
      --connector 'build/fs importer' fs:///srv/data
  It is started as plakar starts it, with pipes for standard input and output, and gets
  the location and every --option KEY=VALUE as its configuration. What it writes to
  standard error is shown.

  One that was started by hand, under a debugger, is named by the socket on which it
  listens:
      PLAKAR_PLUGIN_LISTEN=unix:///tmp/fs.sock gdb --args build/fs importer
      --socket /tmp/fs.sock fs:///srv/data

  --options-file FILE holds a KEY=VALUE a line, for what has no place on a command line:
  other users can read that. No value of an option whose name says that it is secret is
  ever printed.

Exit codes:
  0    everything was done
  1    something failed: an entry, or the whole on its way; a replay found a difference
  2    nothing was begun: wrong usage, or the connector did not start, or refused its
       configuration
  130  interrupted (SIGINT); 143 by SIGTERM: the connectors were ended first
  141  who read standard output went away
  record ends with the exit code of the connector.";

/// Try, inspect and use any Plakar connector without a backup program.
#[derive(Parser)]
#[command(name = "kloset-sdk", version, after_help = CONNECTORS, arg_required_else_help = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    /// The generation of the protocol to speak: 1.1 as plakar 1.1 does (the default), or 1.0. A connector is started for 1.0
    /// with the arguments --protocol 1.0 after its own, as a manifest for plakar 1.0 has them
    #[arg(long, global = true, value_name = "1.0|1.1")]
    pub(super) generation: Option<Generation>,

    /// Do not add --protocol 1.0 to the arguments: for a connector that knows generation 1.0 alone
    #[arg(long, global = true)]
    no_protocol_argument: bool,

    /// How long a connector may take to answer its first call; default: 30, and at a socket as long as it wants
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,

    /// How long a connector may take to close, and then to end, before it is killed; default: 10, and at a socket as long as
    /// it wants
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub(super) exit_timeout: Option<Duration>,

    /// No progress, no summary
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,

    /// What was started, so that it can be ended when the user breaks it off.
    #[arg(skip)]
    pub(super) started: Started,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// List what an importer finds
    #[command(after_help = "\
Examples:
  kloset-sdk ls --connector './fs-c importer' fsc:///srv/data
  kloset-sdk ls --long --human --exclude '*.tmp' --connector './fs-c importer' fsc:///srv/data
  kloset-sdk ls --json --connector './fs-c importer' fsc:///srv/data | jq -r 'select(.event == \"entry\").path'")]
    Ls(Ls),
    /// Write the content of one file that an importer finds to standard output
    #[command(after_help = "\
Examples:
  kloset-sdk cat --connector './fs-c importer' fsc:///srv/data notes/today.txt
  kloset-sdk cat --xattr user.color --connector './fs-c importer' fsc:///srv/data photo.jpg")]
    Cat(Cat),
    /// Sum up what an importer finds, directory by directory
    Du(Du),
    /// Copy everything that an importer finds into an exporter
    #[command(after_help = "\
Examples:
  kloset-sdk copy --from './fs-c importer' fsc:///srv/data --to './fs-c exporter' fsc:///tmp/copy
  kloset-sdk copy --verbose --jobs 8 --from './s3 importer' s3://host/bucket \\
      --from-options-file ~/.s3-options --to './fs-c exporter' fsc:///tmp/copy")]
    Copy(Copy),
    /// Put, get, list and delete objects of a store
    #[command(after_help = CONNECTORS)]
    Store(Store),
    /// Check whether a connector does what Plakar needs
    Check(super::check::Check),
    /// Stand between a host and a connector, and write down what they say to each other
    Record(Record),
    /// Play the host's side of a recording to a connector, and report the first answer that differs in kind
    Replay(Replay),
    /// Print a recording as a table of calls, with times
    Show(Show),
    /// Pass standard input and output on to a connector that listens on a socket
    Relay(Relay),
    /// Print the completions for a shell
    Completions(Completions),
    /// Write the manual pages into a folder
    Man(Man),
}

impl Arguments {
    /// Whether connectors are told the generation by an argument.
    pub(super) fn names_generation(&self) -> bool {
        self.generation == Some(Generation::V1_0) && !self.no_protocol_argument
    }

    /// A connector with these options.
    fn launch(&self, connector: &Place<'_>, options: &[Setting], output: &Arc<Output>) -> Result<Launch, Stop> {
        let mut launch = match connector {
            Place::Executable(command, location) => Launch::new(command.parse().map_err(Stop::not_started)?, location),
            Place::Socket(socket, location) => Launch::attached(Path::new(socket), location),
        };
        for (key, value) in settings(options)? {
            launch.option(&key, &value);
        }
        self.tell(&mut launch, output);
        Ok(launch)
    }

    /// A connector of which the executable and its arguments are known.
    pub(super) fn launch_command(&self, command: CommandLine, location: &str, output: &Arc<Output>) -> Launch {
        let mut launch = Launch::new(command, location);
        self.tell(&mut launch, output);
        launch
    }

    fn tell(&self, launch: &mut Launch, output: &Arc<Output>) {
        launch.generation = self.generation.unwrap_or_default();
        launch.names_generation = !self.no_protocol_argument;
        launch.first_answer = self.timeout.unwrap_or(launch.first_answer);
        launch.grace = self.exit_timeout.unwrap_or(launch.grace);
        launch.started = self.started.clone();
        let output = output.clone();
        launch.stderr = Stderr::Lines(Arc::new(move |line| output.note(line)));
    }
}

impl Command {
    pub(super) fn json(&self) -> bool {
        match self {
            Command::Ls(ls) => ls.json,
            Command::Du(du) => du.json,
            Command::Copy(copy) => copy.json,
            Command::Check(check) => check.json,
            Command::Store(store) => store.command.common().json,
            Command::Replay(replay) => replay.json,
            Command::Cat(_)
            | Command::Record(_)
            | Command::Show(_)
            | Command::Relay(_)
            | Command::Completions(_)
            | Command::Man(_) => false,
        }
    }
}

/// Where a connector is: its command line, or a socket, and the location.
enum Place<'a> {
    Executable(&'a str, &'a str),
    Socket(&'a str, &'a str),
}

/// One of the two that clap was given.
fn place<'a>(connector: &'a [String], socket: &'a [String]) -> Place<'a> {
    match (connector, socket) {
        ([command, location], _) => Place::Executable(command, location),
        (_, [socket, location]) => Place::Socket(socket, location),
        _ => unreachable!("clap asks for two values of one of them"),
    }
}

/// An option of a connector's, or a file of them.
#[derive(Clone)]
enum Setting {
    Option(String, String),
    File(PathBuf),
}

#[derive(Args)]
pub(super) struct Connector {
    /// The connector: its command line as one word, and the location
    #[arg(short, long, num_args = 2, value_names = ["COMMAND", "LOCATION"], required_unless_present = "socket", action = ArgAction::Set)]
    connector: Vec<String>,

    /// A connector that was started by hand: the socket on which it listens, and the location
    #[arg(long, num_args = 2, value_names = ["PATH", "LOCATION"], conflicts_with = "connector", action = ArgAction::Set)]
    socket: Vec<String>,

    /// An option for the connector; may be given several times
    #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = option)]
    options: Vec<Setting>,

    /// A file of options: KEY=VALUE a line, empty lines and those that begin with # apart. --option goes before it
    #[arg(long, value_name = "FILE", value_parser = options_file)]
    options_file: Vec<Setting>,

    /// The protocol that the connector is told; default: what stands before :// in the location
    #[arg(long, value_name = "NAME")]
    protocol: Option<String>,
}

/// What an importer is told of the user's wishes.
#[derive(Args)]
pub(super) struct Wishes {
    /// A pattern, in the syntax of .gitignore, of what the importer is to leave out; may be given several times. Not in generation
    /// 1.0, in which an importer is told of no patterns: plakar 1.0 asks for everything and leaves out by itself
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,

    /// Ask the importer for no extended attributes
    #[arg(long)]
    no_xattr: bool,

    /// How many files are read at once; default: the number of cores less one, as with plakar
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) jobs: Option<u32>,
}

#[derive(Args)]
pub(super) struct Ls {
    #[command(flatten)]
    pub(super) connector: Connector,
    #[command(flatten)]
    pub(super) wishes: Wishes,

    /// Type, permissions, owner, size, time (UTC), link target and the names of extended attributes
    #[arg(short, long)]
    pub(super) long: bool,

    /// With --long: sizes for people, such as 1.50 MiB
    #[arg(short = 'H', long)]
    pub(super) human: bool,

    /// A JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct Cat {
    #[command(flatten)]
    pub(super) connector: Connector,
    #[command(flatten)]
    pub(super) wishes: Wishes,

    /// The value of this extended attribute instead of the content
    #[arg(long, value_name = "NAME")]
    pub(super) xattr: Option<String>,

    /// The path: absolute, or relative to the importer's root
    pub(super) path: String,
}

#[derive(Args)]
pub(super) struct Copy {
    /// The importer: its command line as one word, and the location
    #[arg(long, num_args = 2, value_names = ["COMMAND", "LOCATION"], required_unless_present = "from_socket", action = ArgAction::Set)]
    from: Vec<String>,

    /// An importer that was started by hand: the socket on which it listens, and the location
    #[arg(long, num_args = 2, value_names = ["PATH", "LOCATION"], conflicts_with = "from", action = ArgAction::Set)]
    from_socket: Vec<String>,

    /// The exporter: its command line as one word, and the location
    #[arg(long, num_args = 2, value_names = ["COMMAND", "LOCATION"], required_unless_present = "to_socket", action = ArgAction::Set)]
    to: Vec<String>,

    /// An exporter that was started by hand: the socket on which it listens, and the location
    #[arg(long, num_args = 2, value_names = ["PATH", "LOCATION"], conflicts_with = "to", action = ArgAction::Set)]
    to_socket: Vec<String>,

    /// An option for the importer; may be given several times
    #[arg(long = "from-option", value_name = "KEY=VALUE", value_parser = option)]
    from_options: Vec<Setting>,

    /// A file of options for the importer, KEY=VALUE a line
    #[arg(long, value_name = "FILE", value_parser = options_file)]
    from_options_file: Vec<Setting>,

    /// An option for the exporter; may be given several times
    #[arg(long = "to-option", value_name = "KEY=VALUE", value_parser = option)]
    to_options: Vec<Setting>,

    /// A file of options for the exporter, KEY=VALUE a line
    #[arg(long, value_name = "FILE", value_parser = options_file)]
    to_options_file: Vec<Setting>,

    #[command(flatten)]
    pub(super) wishes: Wishes,

    /// Name every entry on standard output
    #[arg(short, long)]
    pub(super) verbose: bool,

    /// A JSON object a line: every entry, every error, each second how far it is, the summary
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct Store {
    #[command(subcommand)]
    pub(super) command: StoreCommand,
}

#[derive(Subcommand)]
pub(super) enum StoreCommand {
    /// Make a new repository
    #[command(after_help = "\
Example:
  kloset-sdk store create --connector './fs-c store' fsc:///tmp/store")]
    Create {
        #[command(flatten)]
        common: StoreCommon,
        /// What the store is to keep as the repository's configuration; - is standard input
        file: Option<PathBuf>,
    },
    /// Tell where a store is, what may be done with it, how large it is and what it keeps
    #[command(after_help = "\
Example:
  kloset-sdk store info --connector './fs-c store' fsc:///tmp/store")]
    Info {
        #[command(flatten)]
        common: StoreCommon,
        /// Count the objects of this kind alone; may be given several times
        #[arg(short, long, value_name = "KIND")]
        kind: Vec<Resource>,
    },
    /// Put a file as an object, and print its MAC
    #[command(after_help = "\
Examples:
  kloset-sdk store put --connector './fs-c store' fsc:///tmp/store - /etc/services
  kloset-sdk store put --kind lock --connector './fs-c store' fsc:///tmp/store - /dev/null")]
    Put {
        #[command(flatten)]
        common: StoreCommon,
        /// Make a new repository if there is none
        #[arg(long)]
        create: bool,
        /// packfile, state, lock, ecc-packfile or ecc-state
        #[arg(short, long, default_value = "packfile")]
        kind: Resource,
        /// 64 hexadecimal digits; - makes one up
        mac: String,
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Get an object, or a part of it
    #[command(after_help = "\
Examples (MAC stands for 64 hexadecimal digits):
  kloset-sdk store get --connector './fs-c store' fsc:///tmp/store MAC > file
  kloset-sdk store get --range 4096+100 --output part --connector './fs-c store' fsc:///tmp/store MAC")]
    Get {
        #[command(flatten)]
        common: StoreCommon,
        /// packfile, state, lock, ecc-packfile or ecc-state
        #[arg(short, long, default_value = "packfile")]
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
    #[command(after_help = "\
Examples:
  kloset-sdk store ls --connector './fs-c store' fsc:///tmp/store
  kloset-sdk store ls --kind packfile --connector './fs-c store' fsc:///tmp/store")]
    Ls {
        #[command(flatten)]
        common: StoreCommon,
        /// packfile, state, lock, ecc-packfile or ecc-state; default: each, with its name before the MAC
        #[arg(short, long)]
        kind: Option<Resource>,
    },
    /// Delete objects
    #[command(after_help = "\
Example (MAC stands for 64 hexadecimal digits):
  kloset-sdk store rm --kind lock --connector './fs-c store' fsc:///tmp/store MAC MAC")]
    Rm {
        #[command(flatten)]
        common: StoreCommon,
        /// packfile, state, lock, ecc-packfile or ecc-state
        #[arg(short, long, default_value = "packfile")]
        kind: Resource,
        /// 64 hexadecimal digits each
        #[arg(required = true)]
        mac: Vec<Mac>,
    },
    /// Put files, find them listed, get them whole and by ranges, compare, and delete them
    #[command(after_help = "\
Example:
  kloset-sdk store roundtrip --create --connector './fs-c store' fsc:///tmp/store /etc/services")]
    Roundtrip {
        #[command(flatten)]
        common: StoreCommon,
        /// Make a new repository if there is none
        #[arg(long)]
        create: bool,
        /// As which kind of object: packfile, state, lock, ecc-packfile or ecc-state; may be given several times
        #[arg(short, long, value_name = "KIND", default_value = "packfile")]
        kind: Vec<Resource>,
        /// The files
        #[arg(required = true)]
        file: Vec<PathBuf>,
    },
}

#[derive(Args)]
pub(super) struct StoreCommon {
    #[command(flatten)]
    pub(super) connector: Connector,

    /// A JSON object a line; while something is put or got, each second how far it is
    #[arg(long)]
    pub(super) json: bool,
}

impl StoreCommand {
    pub(super) fn common(&self) -> &StoreCommon {
        match self {
            StoreCommand::Create { common, .. }
            | StoreCommand::Info { common, .. }
            | StoreCommand::Put { common, .. }
            | StoreCommand::Get { common, .. }
            | StoreCommand::Ls { common, .. }
            | StoreCommand::Rm { common, .. }
            | StoreCommand::Roundtrip { common, .. } => common,
        }
    }

    /// Whether a repository is made where there is none.
    pub(super) fn creates(&self) -> bool {
        matches!(self, StoreCommand::Put { create: true, .. } | StoreCommand::Roundtrip { create: true, .. })
    }
}

impl Connector {
    pub(super) fn launch(&self, arguments: &Arguments, output: &Arc<Output>) -> Result<Launch, Stop> {
        let options = [&self.options_file[..], &self.options].concat();
        let mut launch = arguments.launch(&place(&self.connector, &self.socket), &options, output)?;
        if let Some(protocol) = &self.protocol {
            launch.protocol.clone_from(protocol);
        }
        Ok(launch)
    }
}

impl Copy {
    pub(super) fn importer(&self, arguments: &Arguments, output: &Arc<Output>) -> Result<Launch, Stop> {
        let options = [&self.from_options_file[..], &self.from_options].concat();
        let mut launch = arguments.launch(&place(&self.from, &self.from_socket), &options, output)?;
        self.wishes.tell(&mut launch)?;
        Ok(launch)
    }

    pub(super) fn exporter(&self, arguments: &Arguments, output: &Arc<Output>) -> Result<Launch, Stop> {
        let options = [&self.to_options_file[..], &self.to_options].concat();
        let mut launch = arguments.launch(&place(&self.to, &self.to_socket), &options, output)?;
        launch.host.max_concurrency = self.wishes.jobs.unwrap_or(launch.host.max_concurrency);
        Ok(launch)
    }
}

impl Wishes {
    pub(super) fn tell(&self, launch: &mut Launch) -> Result<(), Stop> {
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

/// The options with those of the files, in their order: later ones take the place of earlier ones.
fn settings(settings: &[Setting]) -> Result<Vec<(String, String)>, Stop> {
    let mut all = Vec::new();
    for setting in settings {
        match setting {
            Setting::Option(key, value) => all.push((key.clone(), value.clone())),
            Setting::File(path) => all.extend(read_options(path).map_err(|text| Stop::not_started(Error::local(text)))?),
        }
    }
    Ok(all)
}

/// An error never shows a line of the file, which may hold a secret.
fn read_options(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = fs::read_to_string(path).map_err(|error| {
        crate::Error::from(error).context(format_args!("the options file {}", path.display())).message().to_owned()
    })?;
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match key_and_value(line) {
            Ok((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
            Err(wrong) => Err(format!("the options file {}, line {number}: {wrong}", path.display())),
        })
        .collect()
}

fn option(text: &str) -> Result<Setting, String> {
    key_and_value(text).map(|(key, value)| Setting::Option(key, value))
}

fn options_file(text: &str) -> Result<Setting, String> {
    Ok(Setting::File(text.into()))
}

pub(super) fn key_and_value(text: &str) -> Result<(String, String), String> {
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
    fn every_subcommand_has_an_example() {
        fn check(command: &clap::Command) {
            let has_more = command.get_subcommands().next().is_some();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(has_more || help.starts_with("Example"), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
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
