//! The calls of a store.

use std::io;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::Status;

use super::{BEGUN, Coming, Connected};
use crate::Resource;
use crate::host::CHUNK;
use crate::host::check::link::Channel;
use crate::host::check::stop::Trouble;
use crate::host::connection::origin;
use crate::host::streams::Upload;
use crate::wire::v1_0::store as v1_0;
use crate::wire::v1_1::store as v1_1;

type Client = v1_1::store_client::StoreClient<Channel>;
type Client10 = v1_0::store_client::StoreClient<Channel>;

/// A part of an object: offset and length.
pub(in crate::host::check) type Span = (u64, u32);

/// An upload on its way.
pub(in crate::host::check) struct Put {
    pieces: Option<mpsc::Sender<io::Result<Bytes>>>,
    answer: JoinHandle<Result<i64, Status>>,
    patience: std::time::Duration,
}

impl Put {
    /// Sends a piece, when there is room for it.
    pub(in crate::host::check) async fn chunk(&self, chunk: impl Into<Bytes>) -> Result<(), Trouble> {
        if let Some(pieces) = &self.pieces {
            let sent = tokio::time::timeout(self.patience, pieces.send(Ok(chunk.into()))).await;
            // It fails where the connector has answered already, which the answer tells.
            let _ = sent.map_err(|_| Trouble::silent("Put, which takes no more data,", self.patience))?;
        }
        Ok(())
    }

    /// Ends the requests and waits for the answer.
    pub(in crate::host::check) async fn finish(mut self) -> Result<i64, Trouble> {
        self.pieces = None;
        match tokio::time::timeout(self.patience, &mut self.answer).await {
            Ok(Ok(Ok(written))) => Ok(written),
            Ok(Ok(Err(status))) => Err(Trouble::of("Put", status)),
            Ok(Err(error)) => Err(Trouble::wrong("Put", error.to_string())),
            Err(_) => Err(Trouble::silent("Put", self.patience)),
        }
    }

    /// The host breaks the call off.
    pub(in crate::host::check) async fn cancel(mut self) {
        // Were it dropped, the requests might end before the call is reset, and would be complete.
        std::mem::forget(self.pieces.take());
        self.answer.abort();
        let _ = self.answer.await;
    }

    /// The host leaves the call: nothing more comes, no end, no cancellation.
    pub(in crate::host::check) async fn leave(&mut self) {
        if let Some(pieces) = self.pieces.take() {
            let _ = pieces.send(Err(io::ErrorKind::Other.into())).await;
        }
    }
}

/// What comes from a `Get`.
pub(in crate::host::check) struct Got(Coming<v1_1::GetResponse>);

impl Got {
    pub(in crate::host::check) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        Ok(self.0.next().await?.map(|message| message.chunk))
    }
}

/// The kinds that a generation has.
pub(in crate::host::check) const KINDS_1_0: [Resource; 3] = [Resource::Packfile, Resource::State, Resource::Lock];

impl Connected {
    pub(super) fn store(&self) -> Client {
        Client::with_origin(self.channel(), origin()).max_decoding_message_size(usize::MAX)
    }

    pub(super) fn store_1_0(&self) -> Client10 {
        Client10::with_origin(self.channel(), origin()).max_decoding_message_size(usize::MAX)
    }

    pub(in crate::host::check) fn kinds(&self) -> &'static [Resource] {
        if self.bench().v1_0() { &KINDS_1_0 } else { &Resource::ALL }
    }

    pub(in crate::host::check) async fn create(&self, config: &[u8]) -> Result<(), Trouble> {
        let (config, cookie) = (Bytes::copy_from_slice(config), self.cookie());
        match self.bench().v1_0() {
            false => self.ask("Create", self.store().create(v1_1::CreateRequest { config })).await.map(drop),
            true => self.ask("Create", self.store_1_0().create(v1_0::CreateRequest { config, cookie })).await.map(drop),
        }
    }

    pub(in crate::host::check) async fn open_store(&self) -> Result<Bytes, Trouble> {
        match self.bench().v1_0() {
            false => self.ask("Open", self.store().open(v1_1::OpenRequest {})).await.map(|answer| answer.config),
            true => {
                let request = v1_0::OpenRequest { cookie: self.cookie() };
                self.ask("Open", self.store_1_0().open(request)).await.map(|answer| answer.config)
            }
        }
    }

    pub(in crate::host::check) async fn mode(&self) -> Result<i32, Trouble> {
        match self.bench().v1_0() {
            false => self.ask("Mode", self.store().mode(v1_1::ModeRequest {})).await.map(|answer| answer.mode),
            true => {
                let request = v1_0::GetModeRequest { cookie: self.cookie() };
                self.ask("GetMode", self.store_1_0().get_mode(request)).await.map(|answer| answer.mode)
            }
        }
    }

    pub(in crate::host::check) async fn size(&self) -> Result<i64, Trouble> {
        match self.bench().v1_0() {
            false => self.ask("Size", self.store().size(v1_1::SizeRequest {})).await.map(|answer| answer.size),
            true => {
                let request = v1_0::GetSizeRequest { cookie: self.cookie() };
                self.ask("GetSize", self.store_1_0().get_size(request)).await.map(|answer| answer.size)
            }
        }
    }

    /// The names of the objects of a kind, as they came, in order.
    pub(in crate::host::check) async fn macs(&self, kind: Resource) -> Result<Vec<Vec<u8>>, Trouble> {
        let cookie = self.cookie();
        let mut macs: Vec<Vec<u8>> = if self.bench().v1_0() {
            let of = |macs: Vec<v1_0::Mac>| macs.into_iter().map(|mac| mac.value.to_vec()).collect();
            match kind {
                Resource::State => {
                    of(self.ask("GetStates", self.store_1_0().get_states(v1_0::GetStatesRequest { cookie })).await?.macs)
                }
                Resource::Packfile => {
                    of(self.ask("GetPackfiles", self.store_1_0().get_packfiles(v1_0::GetPackfilesRequest { cookie })).await?.macs)
                }
                _ => of(self.ask("GetLocks", self.store_1_0().get_locks(v1_0::GetLocksRequest { cookie })).await?.macs),
            }
        } else {
            let answer = self.ask("List", self.store().list(v1_1::ListRequest { r#type: kind as i32, flags: 0 })).await?;
            answer.macs.iter().map(|mac| mac.to_vec()).collect()
        };
        macs.sort();
        Ok(macs)
    }

    /// Begins an upload.
    pub(in crate::host::check) fn put(&self, kind: Resource, mac: &[u8]) -> Put {
        self.put_raw(kind as i32, mac, 0)
    }

    /// Begins to upload a packfile, so far that the connector is at work.
    pub(in crate::host::check) async fn begun_put(&self, mac: &[u8]) -> Result<Put, Trouble> {
        let put = self.put(Resource::Packfile, mac);
        let piece = Bytes::from(vec![0; CHUNK / 4]);
        for _ in 0..BEGUN / piece.len() {
            put.chunk(piece.clone()).await?;
        }
        Ok(put)
    }

    /// Begins an upload to whatever kind and name.
    pub(in crate::host::check) fn put_raw(&self, kind: i32, mac: &[u8], flags: i32) -> Put {
        let (pieces, coming) = mpsc::channel(2);
        let value = Bytes::copy_from_slice(mac);
        let patience = self.bench().patience();
        let answer = if self.bench().v1_0() {
            let (mut client, cookie) = (self.store_1_0(), self.cookie());
            let mac = Some(v1_0::Mac { value });
            macro_rules! put {
                ($method:ident, $request:ident) => {{
                    let first = v1_0::$request { mac, chunk: Bytes::new(), cookie: cookie.clone() };
                    let (upload, _) =
                        Upload::new(first, coming, move |chunk| v1_0::$request { mac: None, chunk, cookie: cookie.clone() });
                    tokio::spawn(async move { client.$method(upload).await.map(|answer| answer.into_inner().bytes_written) })
                }};
            }
            match kind {
                kind if kind == Resource::State as i32 => put!(put_state, PutStateRequest),
                kind if kind == Resource::Lock as i32 => put!(put_lock, PutLockRequest),
                _ => put!(put_packfile, PutPackfileRequest),
            }
        } else {
            let mut client = self.store();
            let first = v1_1::PutRequest { mac: value, r#type: kind, flags, chunk: Bytes::new() };
            let (upload, _) = Upload::new(first, coming, |chunk| v1_1::PutRequest { chunk, ..v1_1::PutRequest::default() });
            tokio::spawn(async move { client.put(upload).await.map(|answer| answer.into_inner().bytes_written) })
        };
        Put { pieces: Some(pieces), answer, patience }
    }

    /// A `Put` that ends before its first message; only generation 1.1.
    pub(in crate::host::check) async fn put_nothing(&self) -> Result<(), Trouble> {
        let (pieces, coming) = mpsc::channel::<v1_1::PutRequest>(1);
        drop(pieces);
        self.ask("Put", self.store().put(crate::host::streams::Requests(coming))).await.map(drop)
    }

    /// Puts a whole object.
    pub(in crate::host::check) async fn put_all(&self, kind: Resource, mac: &[u8], content: &[u8]) -> Result<i64, Trouble> {
        let put = self.put(kind, mac);
        for chunk in content.chunks(CHUNK) {
            put.chunk(Bytes::copy_from_slice(chunk)).await?;
        }
        put.finish().await
    }

    /// Begins to read an object, or a part of it. In generation 1.0 only packfiles have parts.
    pub(in crate::host::check) async fn get(&self, kind: Resource, mac: &[u8], span: Option<Span>) -> Result<Got, Trouble> {
        let patience = self.bench().patience();
        let value = Bytes::copy_from_slice(mac);
        if self.bench().v1_0() {
            return self.get_1_0(kind, value, span).await.map(Got);
        }
        let range = span.map(|(offset, length)| v1_1::Range { offset, length });
        let request = v1_1::GetRequest { mac: value, r#type: kind as i32, range, flags: 0 };
        Ok(Got(Coming::of("Get", patience, self.ask("Get", self.store().get(request)).await?)))
    }

    async fn get_1_0(&self, kind: Resource, value: Bytes, span: Option<Span>) -> Result<Coming<v1_1::GetResponse>, Trouble> {
        let (patience, cookie, mac) = (self.bench().patience(), self.cookie(), Some(v1_0::Mac { value }));
        let mut client = self.store_1_0();
        macro_rules! get {
            ($call:literal, $answer:expr) => {{
                let mut chunks = self.ask($call, $answer).await?;
                let (give, coming) = mpsc::channel(1);
                tokio::spawn(async move {
                    loop {
                        let message = chunks.message().await.map(|m| m.map(|m| v1_1::GetResponse { chunk: m.chunk }));
                        let last = !matches!(message, Ok(Some(_)));
                        if give.send(message).await.is_err() || last {
                            return;
                        }
                    }
                });
                Ok(Coming::relayed($call, patience, coming))
            }};
        }
        match (kind, span) {
            (_, Some((offset, length))) => {
                let request = v1_0::GetPackfileBlobRequest { mac, offset, length, cookie };
                get!("GetPackfileBlob", client.get_packfile_blob(request))
            }
            (Resource::State, None) => get!("GetState", client.get_state(v1_0::GetStateRequest { mac, cookie })),
            (Resource::Lock, None) => get!("GetLock", client.get_lock(v1_0::GetLockRequest { mac, cookie })),
            (_, None) => get!("GetPackfile", client.get_packfile(v1_0::GetPackfileRequest { mac, cookie })),
        }
    }

    /// Reads a whole object, or all of a part.
    pub(in crate::host::check) async fn get_all(
        &self,
        kind: Resource,
        mac: &[u8],
        span: Option<Span>,
    ) -> Result<Vec<u8>, Trouble> {
        let mut got = self.get(kind, mac, span).await?;
        let mut all = Vec::new();
        while let Some(chunk) = got.next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }

    pub(in crate::host::check) async fn delete(&self, kind: Resource, mac: &[u8]) -> Result<(), Trouble> {
        let value = Bytes::copy_from_slice(mac);
        if !self.bench().v1_0() {
            let request = v1_1::DeleteRequest { mac: value, r#type: kind as i32, flags: 0 };
            return self.ask("Delete", self.store().delete(request)).await.map(drop);
        }
        let (mac, cookie) = (Some(v1_0::Mac { value }), self.cookie());
        let mut client = self.store_1_0();
        match kind {
            Resource::State => {
                self.ask("DeleteState", client.delete_state(v1_0::DeleteStateRequest { mac, cookie })).await.map(drop)
            }
            Resource::Lock => self.ask("DeleteLock", client.delete_lock(v1_0::DeleteLockRequest { mac, cookie })).await.map(drop),
            _ => self.ask("DeletePackfile", client.delete_packfile(v1_0::DeletePackfileRequest { mac, cookie })).await.map(drop),
        }
    }
}
