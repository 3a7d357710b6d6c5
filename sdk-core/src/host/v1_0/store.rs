//! A store, driven.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tonic::Status;

use super::convert;
use super::wire::store::store_client::StoreClient;
use super::wire::store::{
    CloseRequest, CreateRequest, DeleteLockRequest, DeletePackfileRequest, DeleteStateRequest, GetLocationRequest,
    GetLockRequest, GetLocksRequest, GetModeRequest, GetPackfileBlobRequest, GetPackfileRequest, GetPackfilesRequest,
    GetSizeRequest, GetStateRequest, GetStatesRequest, InitRequest, Mac as WireMac, OpenRequest, PutLockRequest,
    PutPackfileRequest, PutStateRequest,
};
use crate::host::connection::{Channel, origin};
use crate::host::process::Link;
use crate::host::streams::Upload;
use crate::host::{Contents, Error, Launch, Process};
use crate::{Flags, Location, Mac, Mode, Object, Range, Resource};

/// What this generation has methods for.
pub(crate) const KINDS: &[Resource] = &[Resource::Packfile, Resource::State, Resource::Lock];

#[derive(Clone)]
pub(crate) struct Store {
    client: StoreClient<Channel>,
    cookie: Arc<str>,
    link: Link,
}

impl Store {
    pub(crate) async fn init(process: &Process, launch: &Launch) -> Result<(Store, Location), Error> {
        let mut client = StoreClient::with_origin(process.channel(), origin());
        let request = InitRequest { proto: launch.protocol.clone(), config: convert::config(launch) };
        let answer = process.init("a store", launch, client.init(request)).await?;
        let store = Store { client, cookie: answer.cookie.into(), link: process.link() };
        match store.location().await {
            Ok(root) => {
                let location = Location { origin: String::new(), kind: String::new(), root, flags: Flags::empty() };
                Ok((store, location))
            }
            Err(error) => {
                process.abandon().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn location(&self) -> Result<String, Error> {
        let answer = self.client.clone().get_location(GetLocationRequest { cookie: self.cookie() }).await;
        self.link.answer("GetLocation", None, answer).await.map(|answer| answer.location)
    }

    pub(crate) async fn create(&self, config: Bytes) -> Result<(), Error> {
        let answer = self.client.clone().create(CreateRequest { config, cookie: self.cookie() }).await;
        self.link.answer("Create", None, answer).await.map(drop)
    }

    pub(crate) async fn open(&self) -> Result<Bytes, Error> {
        let answer = self.client.clone().open(OpenRequest { cookie: self.cookie() }).await;
        self.link.answer("Open", None, answer).await.map(|answer| answer.config)
    }

    pub(crate) async fn mode(&self) -> Result<Mode, Error> {
        let answer = self.client.clone().get_mode(GetModeRequest { cookie: self.cookie() }).await;
        self.link.answer("GetMode", None, answer).await.map(|answer| Mode::from_bits(answer.mode))
    }

    pub(crate) async fn size(&self) -> Result<Option<u64>, Error> {
        let answer = self.client.clone().get_size(GetSizeRequest { cookie: self.cookie() }).await;
        self.link.answer("GetSize", None, answer).await.map(|answer| u64::try_from(answer.size).ok())
    }

    pub(crate) async fn list(&self, kind: Resource) -> Result<Vec<Mac>, Error> {
        let (mut client, cookie) = (self.client.clone(), self.cookie());
        let (call, macs) = match kind {
            Resource::State => {
                let answer = client.get_states(GetStatesRequest { cookie }).await;
                ("GetStates", self.link.answer("GetStates", None, answer).await?.macs)
            }
            Resource::Packfile => {
                let answer = client.get_packfiles(GetPackfilesRequest { cookie }).await;
                ("GetPackfiles", self.link.answer("GetPackfiles", None, answer).await?.macs)
            }
            Resource::Lock => {
                let answer = client.get_locks(GetLocksRequest { cookie }).await;
                ("GetLocks", self.link.answer("GetLocks", None, answer).await?.macs)
            }
            kind => return Err(self.no_such_kind(kind)),
        };
        let macs = macs.iter().map(|mac| Mac::try_from(&mac.value[..])).collect::<Result<Vec<_>, _>>();
        macs.map_err(|error| self.link.wrong(call, error.message()))
    }

    pub(crate) async fn put(&self, object: Object, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Result<u64, Error> {
        let (mut client, cookie) = (self.client.clone(), self.cookie());
        let (about, mac) = (object.mac.to_string(), wire_mac(object));
        match object.kind {
            Resource::State => {
                let first = PutStateRequest { mac, chunk: Bytes::new(), cookie: cookie.clone() };
                let piece = move |chunk| PutStateRequest { mac: None, chunk, cookie: cookie.clone() };
                let (upload, failure) = Upload::new(first, pieces, piece);
                let call = async move { client.put_state(upload).await.map(|answer| answer.into_inner().bytes_written) };
                self.link.uploaded("PutState", &about, call, failure).await
            }
            Resource::Packfile => {
                let first = PutPackfileRequest { mac, chunk: Bytes::new(), cookie: cookie.clone() };
                let piece = move |chunk| PutPackfileRequest { mac: None, chunk, cookie: cookie.clone() };
                let (upload, failure) = Upload::new(first, pieces, piece);
                let call = async move { client.put_packfile(upload).await.map(|answer| answer.into_inner().bytes_written) };
                self.link.uploaded("PutPackfile", &about, call, failure).await
            }
            Resource::Lock => {
                let first = PutLockRequest { mac, chunk: Bytes::new(), cookie: cookie.clone() };
                let piece = move |chunk| PutLockRequest { mac: None, chunk, cookie: cookie.clone() };
                let (upload, failure) = Upload::new(first, pieces, piece);
                let call = async move { client.put_lock(upload).await.map(|answer| answer.into_inner().bytes_written) };
                self.link.uploaded("PutLock", &about, call, failure).await
            }
            kind => Err(self.no_such_kind(kind)),
        }
    }

    pub(crate) async fn get(&self, object: Object, range: Option<Range>) -> Result<Contents, Error> {
        let (mut client, cookie, link) = (self.client.clone(), self.cookie(), self.link.clone());
        let (about, mac) = (Arc::from(object.mac.to_string()), wire_mac(object));
        match (object.kind, range) {
            (Resource::Packfile, Some(Range { offset, length })) => {
                let answer = client.get_packfile_blob(GetPackfileBlobRequest { mac, offset, length, cookie }).await;
                let messages = link.answer("GetPackfileBlob", Some(&about), answer).await?;
                Ok(Contents::new(messages, |message| message.chunk, link, "GetPackfileBlob", about))
            }
            (Resource::Packfile, None) => {
                let answer = client.get_packfile(GetPackfileRequest { mac, cookie }).await;
                let messages = link.answer("GetPackfile", Some(&about), answer).await?;
                Ok(Contents::new(messages, |message| message.chunk, link, "GetPackfile", about))
            }
            (Resource::State, None) => {
                let answer = client.get_state(GetStateRequest { mac, cookie }).await;
                let messages = link.answer("GetState", Some(&about), answer).await?;
                Ok(Contents::new(messages, |message| message.chunk, link, "GetState", about))
            }
            (Resource::Lock, None) => {
                let answer = client.get_lock(GetLockRequest { mac, cookie }).await;
                let messages = link.answer("GetLock", Some(&about), answer).await?;
                Ok(Contents::new(messages, |message| message.chunk, link, "GetLock", about))
            }
            (kind @ (Resource::State | Resource::Lock), Some(_)) => {
                let text =
                    format!("a part of a {kind} cannot be asked for in generation 1.0 of the protocol, only one of a packfile");
                Err(link.impossible("", text))
            }
            (kind, _) => Err(self.no_such_kind(kind)),
        }
    }

    pub(crate) async fn delete(&self, object: Object) -> Result<(), Error> {
        let (mut client, cookie) = (self.client.clone(), self.cookie());
        let (about, mac) = (object.mac.to_string(), wire_mac(object));
        match object.kind {
            Resource::State => {
                let answer = client.delete_state(DeleteStateRequest { mac, cookie }).await;
                self.link.answer("DeleteState", Some(&about), answer).await.map(drop)
            }
            Resource::Packfile => {
                let answer = client.delete_packfile(DeletePackfileRequest { mac, cookie }).await;
                self.link.answer("DeletePackfile", Some(&about), answer).await.map(drop)
            }
            Resource::Lock => {
                let answer = client.delete_lock(DeleteLockRequest { mac, cookie }).await;
                self.link.answer("DeleteLock", Some(&about), answer).await.map(drop)
            }
            kind => Err(self.no_such_kind(kind)),
        }
    }

    pub(crate) async fn close(mut self) -> Result<(), Status> {
        self.client.close(CloseRequest { cookie: self.cookie.to_string() }).await.map(drop)
    }

    fn cookie(&self) -> String {
        self.cookie.to_string()
    }

    fn no_such_kind(&self, kind: Resource) -> Error {
        self.link.impossible("", format!("there is no {kind} in generation 1.0 of the protocol"))
    }
}

fn wire_mac(object: Object) -> Option<WireMac> {
    Some(WireMac { value: Bytes::copy_from_slice(&object.mac.0) })
}
