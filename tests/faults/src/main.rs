//! A filesystem connector over tonic's plain server, without the SDK, that does everything right, or one thing wrong on purpose:
//! `faulty [importer|exporter|store] [--protocol 1.0] [--fault NAME]`. `faulty --faults` lists what it can do wrong.
//!
//! All of it runs on one thread: what is woken first runs first, so that no fault shows by luck only.

mod exporter;
mod fault;
mod importer;
mod instance;
mod meta;
mod store;
mod v1_0;

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::process::exit;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;

use fault::is;
use wire::importer::importer_server::ImporterServer;
use wire::plakar::exporter::exporter_server::ExporterServer;
use wire::store::store_server::StoreServer;

/// Code generated from the `.proto` files.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod wire {
    pub mod v1_0 {
        pub mod importer {
            include!(concat!(env!("OUT_DIR"), "/v1_0/importer.rs"));
        }
        pub mod exporter {
            include!(concat!(env!("OUT_DIR"), "/v1_0/exporter.rs"));
        }
        pub mod store {
            include!(concat!(env!("OUT_DIR"), "/v1_0/store.rs"));
        }
    }
    pub mod importer {
        include!(concat!(env!("OUT_DIR"), "/v1_1/importer.rs"));
    }
    pub mod store {
        include!(concat!(env!("OUT_DIR"), "/v1_1/store.rs"));
    }
    pub mod plakar {
        pub mod connectors {
            include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.connectors.rs"));
        }
        pub mod exporter {
            include!(concat!(env!("OUT_DIR"), "/v1_1/plakar.exporter.rs"));
        }
    }
}

fn main() {
    let (mut role, mut v1_0) = (None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--faults" => return fault_tests::FAULTS.iter().for_each(|name| println!("{name}")),
            "--fault" => fault::set(arguments.next().unwrap_or_default()),
            "--protocol" => v1_0 = arguments.next().is_some_and(|generation| generation == "1.0"),
            _ => role = Some(argument),
        }
    }
    let Some(role) = role else {
        eprintln!("faulty: name a role: importer, exporter or store");
        exit(2);
    };
    if is("prints-at-start") {
        println!("faulty {role} is up");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(serve(&role, v1_0));
    end();
}

/// The host is gone.
fn end() {
    let (made, closed, busy) = instance::state();
    let (in_init, in_close) = instance::unanswered();
    let stays = is("stays-unspoken") && !made
        || is("stays-in-init") && in_init
        || is("stays-in-close") && in_close
        || is("stays-idle") && made && !closed && !busy
        || is("stays-in-a-call") && busy
        || is("survives-a-broken-pipe") && instance::sending();
    if stays {
        loop {
            std::thread::park();
        }
    }
    if is("aborts-at-the-end") && !closed {
        std::process::abort();
    }
    exit(if is("exit-code-1") { 1 } else { 0 });
}

async fn serve(role: &str, v1_0: bool) {
    if !is("dies-of-interrupts") {
        tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    }
    if is("spins") {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    let server = match (role, v1_0) {
        ("importer", false) => Server::Importer(ImporterServer::new(importer::Importer)),
        ("exporter", false) => Server::Exporter(ExporterServer::new(exporter::Exporter)),
        ("store" | "storage", false) => Server::Store(StoreServer::new(store::Store)),
        ("importer", true) => Server::Importer10(v1_0::ImporterServer::new(importer::Importer)),
        ("exporter", true) => Server::Exporter10(v1_0::ExporterServer::new(exporter::Exporter)),
        ("store" | "storage", true) => Server::Store10(v1_0::StoreServer::new(store::Store)),
        (other, _) => {
            eprintln!("faulty: {other:?} is no role");
            exit(2);
        }
    };
    match std::env::var("PLAKAR_PLUGIN_LISTEN").ok().filter(|_| !is("no-socket")) {
        None => connection(server, tokio::io::join(tokio::io::stdin(), tokio::io::stdout())).await,
        Some(address) => {
            let path = address.strip_prefix("unix://").unwrap_or(&address);
            let listener = tokio::net::UnixListener::bind(path).expect("a socket");
            connection(server, listener.accept().await.expect("a host").0).await;
        }
    }
    if is("keeps-cut-puts") {
        // What keeps them is still at work.
        instance::quiet().await;
    }
}

async fn connection(server: Server, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.initial_stream_window_size(1 << 20).initial_connection_window_size(256 << 20);
    if is("drowns-in-puts") {
        http.max_concurrent_streams(4);
    }
    let served = http.serve_connection(TokioIo::new(io), TowerToHyperService::new(server)).await;
    if is("waits-after-garbage") && served.is_err() && !instance::state().0 {
        std::future::pending::<()>().await;
    }
}

/// The service of the role that is served.
#[derive(Clone)]
enum Server {
    Importer(ImporterServer<importer::Importer>),
    Exporter(ExporterServer<exporter::Exporter>),
    Store(StoreServer<store::Store>),
    Importer10(v1_0::ImporterServer<importer::Importer>),
    Exporter10(v1_0::ExporterServer<exporter::Exporter>),
    Store10(v1_0::StoreServer<store::Store>),
}

/// A request's body in which a reset by the host is an error. tonic takes it for the end, and what was cut would look complete.
struct Requests(Incoming);

impl hyper::body::Body for Requests {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Status>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(|error| Status::aborted(error.to_string()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

/// An answer under way.
type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl Service<http::Request<Incoming>> for Server {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Incoming>) -> Answer {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        if is("dies-of-unknown-methods") && method == "Sing" {
            std::process::abort();
        }
        if is("prints-at-close") && method == "Close" {
            print!("good bye");
            let _ = std::io::stdout().flush();
        }
        let request = request.map(|body| Body::new(Requests(body)));
        let mut server = self.clone();
        Box::pin(async move {
            // Those two are answered at once and go on for long: they see to it themselves.
            let _one =
                if matches!(method.as_str(), "Import" | "Export" | "Scan") { None } else { instance::one_at_a_time().await };
            match &mut server {
                Server::Importer(server) => server.call(request).await,
                Server::Exporter(server) => server.call(request).await,
                Server::Store(server) => server.call(request).await,
                Server::Importer10(server) => server.call(request).await,
                Server::Exporter10(server) => server.call(request).await,
                Server::Store10(server) => server.call(request).await,
            }
        })
    }
}
