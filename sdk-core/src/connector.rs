//! A connector: the roles that one executable holds.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

use crate::roles::{exporter, importer, store};
use crate::{Config, Exporter, Importer, Result, Store, blocking, jobs, serve};

/// A connector: the roles that one executable holds, each made anew from the configuration that the host gives.
///
/// ```no_run
/// # use kloset_sdk::{Config, Record, Result, blocking::{Emitter, Importer}};
/// # struct Notes;
/// # impl Importer for Notes {
/// #     fn init(_: &Config) -> Result<Self> { Ok(Notes) }
/// #     fn scan(&self, out: &Emitter) -> Result<()> { Ok(()) }
/// # }
/// fn main() -> std::process::ExitCode {
///     kloset_sdk::Connector::new("notes").blocking_importer::<Notes>().main()
/// }
/// ```
pub struct Connector {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) program: Option<String>,
    pub(crate) importer: Option<importer::Make>,
    pub(crate) exporter: Option<exporter::Make>,
    pub(crate) store: Option<store::Make>,
}

impl Connector {
    /// A connector without a role yet. The name stands before its log lines and in its help.
    pub fn new(name: impl Into<String>) -> Self {
        Connector { name: name.into(), version: String::new(), program: None, importer: None, exporter: None, store: None }
    }

    /// Sets the version that `--version` prints: `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Sets how a person starts it, for its help, where that is not the executable: a script, which an interpreter runs.
    #[must_use]
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Adds an importer.
    #[must_use]
    pub fn importer<T: Importer>(self) -> Self {
        self.importer_with(|config| async move { T::init(&config).await })
    }

    /// Adds an importer that `make` makes.
    #[must_use]
    pub fn importer_with<T: Importer, F>(mut self, make: impl Fn(Config) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.importer = Some(Arc::new(move |config| {
            let made = make(config);
            jobs::asynchronous(
                "init",
                async move { Ok(Arc::new(importer::Asynchronous(made.await?)) as Arc<dyn importer::Role>) },
            )
        }));
        self
    }

    /// Adds an importer that blocks.
    #[must_use]
    pub fn blocking_importer<T: blocking::Importer>(self) -> Self {
        self.blocking_importer_with(|config: &Config| T::init(config))
    }

    /// Adds an importer that blocks and that `make` makes.
    #[must_use]
    pub fn blocking_importer_with<T: blocking::Importer>(
        mut self,
        make: impl Fn(&Config) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        self.importer = Some(Arc::new(move |config| {
            let make = make.clone();
            jobs::blocking("init", move || Ok(Arc::new(importer::Blocking(make(&config)?)) as Arc<dyn importer::Role>))
        }));
        self
    }

    /// Adds an exporter.
    #[must_use]
    pub fn exporter<T: Exporter>(self) -> Self {
        self.exporter_with(|config| async move { T::init(&config).await })
    }

    /// Adds an exporter that `make` makes.
    #[must_use]
    pub fn exporter_with<T: Exporter, F>(mut self, make: impl Fn(Config) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.exporter = Some(Arc::new(move |config| {
            let made = make(config);
            jobs::asynchronous(
                "init",
                async move { Ok(Arc::new(exporter::Asynchronous(made.await?)) as Arc<dyn exporter::Role>) },
            )
        }));
        self
    }

    /// Adds an exporter that blocks.
    #[must_use]
    pub fn blocking_exporter<T: blocking::Exporter>(self) -> Self {
        self.blocking_exporter_with(|config: &Config| T::init(config))
    }

    /// Adds an exporter that blocks and that `make` makes.
    #[must_use]
    pub fn blocking_exporter_with<T: blocking::Exporter>(
        mut self,
        make: impl Fn(&Config) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        self.exporter = Some(Arc::new(move |config| {
            let make = make.clone();
            jobs::blocking("init", move || Ok(Arc::new(exporter::Blocking(make(&config)?)) as Arc<dyn exporter::Role>))
        }));
        self
    }

    /// Adds a store.
    #[must_use]
    pub fn store<T: Store>(self) -> Self {
        self.store_with(|config| async move { T::init(&config).await })
    }

    /// Adds a store that `make` makes.
    #[must_use]
    pub fn store_with<T: Store, F>(mut self, make: impl Fn(Config) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.store = Some(Arc::new(move |config| {
            let made = make(config);
            jobs::asynchronous("init", async move { Ok(Arc::new(store::Asynchronous(made.await?)) as Arc<dyn store::Role>) })
        }));
        self
    }

    /// Adds a store that blocks.
    #[must_use]
    pub fn blocking_store<T: blocking::Store>(self) -> Self {
        self.blocking_store_with(|config: &Config| T::init(config))
    }

    /// Adds a store that blocks and that `make` makes.
    #[must_use]
    pub fn blocking_store_with<T: blocking::Store>(
        mut self,
        make: impl Fn(&Config) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        self.store = Some(Arc::new(move |config| {
            let make = make.clone();
            jobs::blocking("init", move || Ok(Arc::new(store::Blocking(make(&config)?)) as Arc<dyn store::Role>))
        }));
        self
    }

    /// The whole of a connector's `main`, to be called first in it: serves the role that the command line names until the host
    /// is done, and returns the process's exit code.
    ///
    /// Standard input and output belong to the protocol from here on: what the author's code prints goes to stderr.
    pub fn main(self) -> ExitCode {
        let arguments = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
        ExitCode::from(self.run(arguments))
    }

    /// As [`main`](Self::main), with the arguments after the program's name, for those whose `main` belongs to another language.
    pub fn run(self, arguments: Vec<String>) -> u8 {
        serve::process(self, arguments)
    }
}
