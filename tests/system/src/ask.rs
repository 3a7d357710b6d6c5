//! Tests that decide what a connector does: the connector `stray`, given the option `ask`, connects to this socket in each of
//! its calls, says which call it is, and does what it is told.

use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// Where `stray` asks.
pub struct Ask {
    folder: TempDir,
    listener: UnixListener,
}

/// A call of `stray`'s that waits to be told what to do.
pub struct Call {
    /// The call's name and what it is about: `store_file /a`.
    pub what: String,
    answer: OwnedWriteHalf,
    says: BufReader<OwnedReadHalf>,
}

impl Ask {
    /// Begins to listen.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("ask")).expect("a socket");
        Ask { folder, listener }
    }

    /// The value of the option `ask`.
    pub fn option(&self) -> String {
        self.folder.path().join("ask").to_str().expect("UTF-8").to_owned()
    }

    /// The next call that begins.
    pub async fn next(&self) -> Call {
        let (stream, _) = self.listener.accept().await.expect("it asks");
        let (says, answer) = UnixStream::into_split(stream);
        let mut says = BufReader::new(says);
        let mut what = String::new();
        says.read_line(&mut what).await.expect("it says what it is");
        Call { what: what.trim_end().to_owned(), answer, says }
    }

    /// The next call, which must be this one.
    pub async fn expect(&self, what: &str) -> Call {
        let call = self.next().await;
        assert_eq!(call.what, what);
        call
    }

    /// So many calls that are all under way at once, in the order of what they are.
    pub async fn at_once(&self, n: usize) -> Vec<Call> {
        let mut calls = Vec::new();
        for _ in 0..n {
            calls.push(self.next().await);
        }
        calls.sort_by(|a, b| a.what.cmp(&b.what));
        calls
    }

    /// The folder that the socket lies in, for whatever else the test needs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Default for Ask {
    fn default() -> Self {
        Ask::new()
    }
}

impl Call {
    /// Tells the call what to do: `go`, or what `stray` knows besides.
    pub async fn tell(&mut self, what: &str) {
        self.answer.write_all(format!("{what}\n").as_bytes()).await.expect("it listens");
    }

    /// The next thing that the call says, none when it has ended.
    pub async fn says(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.says.read_line(&mut line).await {
            Ok(1..) => Some(line.trim_end().to_owned()),
            _ => None,
        }
    }

    /// Lets the call go on, and waits for its end. Says what it said meanwhile.
    pub async fn go(mut self) -> Vec<String> {
        self.tell("go").await;
        self.end().await
    }

    /// Waits for the call's end. Says what it said meanwhile.
    pub async fn end(mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Some(line) = self.says().await {
            said.push(line);
        }
        said
    }
}
