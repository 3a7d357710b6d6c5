//! An importer, driven.

use std::sync::Arc;

use tonic::Status;

use super::wire::importer::importer_client::ImporterClient;
use super::wire::importer::{
    CloseReaderRequest, CloseRequest, InfoRequest, InitRequest, OpenReaderRequest, ScanRequest, ScanResponse,
};
use super::{LISTING, convert};
use crate::host::connection::{Channel, origin};
use crate::host::process::Link;
use crate::host::streams::Answers;
use crate::host::{Contents, Error, Item, Launch, Process};
use crate::{Flags, Location};

#[derive(Clone)]
pub(crate) struct Importer {
    client: ImporterClient<Channel>,
    cookie: Arc<str>,
    link: Link,
}

impl Importer {
    pub(crate) async fn init(process: &Process, launch: &Launch) -> Result<(Importer, Location), Error> {
        let mut client = ImporterClient::with_origin(process.channel(), origin());
        let request = InitRequest {
            options: Some(convert::importer_options(launch)),
            proto: launch.protocol.clone(),
            config: convert::config(launch),
        };
        let answer = process.init("an importer", launch, client.init(request)).await?;
        let refused = answer.error.map(|text| match answer.cookie.as_str() {
            "" => process.link().refused("Init", text),
            // Generation 1.1 has the origin and the type in these two fields.
            _ => process.link().wrong("Init", "an answer of generation 1.1 of the protocol came, and 1.0 was asked for"),
        });
        let importer = Importer { client, cookie: answer.cookie.into(), link: process.link() };
        let location = match refused {
            Some(error) => Err(error),
            None => importer.info().await,
        };
        match location {
            Ok(location) => Ok((importer, location)),
            Err(error) => {
                process.abandon().await;
                Err(error)
            }
        }
    }

    /// Nothing is said of flags; plakar 1.0 lists once.
    pub(crate) async fn info(&self) -> Result<Location, Error> {
        let answer = self.client.clone().info(InfoRequest { cookie: self.cookie() }).await;
        let answer = self.link.answer("Info", None, answer).await?;
        Ok(Location { origin: answer.origin, kind: answer.r#type, root: answer.root, flags: Flags::STREAM })
    }

    pub(crate) fn scan(&self) -> Scan {
        let (mut client, cookie) = (self.client.clone(), self.cookie());
        let answers = Answers::of(async move { client.scan(ScanRequest { cookie }).await });
        Scan { answers, link: self.link.clone() }
    }

    pub(crate) async fn open(&self, item: &Item) -> Result<Contents, Error> {
        let (call, link, path) = ("OpenReader", self.link.clone(), Arc::from(item.path()));
        if let Item::Xattr(xattr) = item {
            let text = format!("the value of {} cannot be asked for in generation 1.0 of the protocol", xattr.name);
            return Err(link.impossible(call, text).at(&*path));
        }
        let request = OpenReaderRequest { pathname: item.path().to_owned(), cookie: self.cookie() };
        let answer = self.client.clone().open_reader(request).await;
        let messages = link.answer(call, Some(&path), answer).await?;
        let (mut client, closed) =
            (self.client.clone(), CloseReaderRequest { pathname: item.path().to_owned(), cookie: self.cookie() });
        // Plakar does not look at the answer either.
        let close = async move { drop(client.close_reader(closed).await) };
        Ok(Contents::new(messages, |message| message.chunk, link, call, path).and_then(close))
    }

    pub(crate) async fn close(mut self) -> Result<(), Status> {
        self.client.close(CloseRequest { cookie: self.cookie.to_string() }).await.map(drop)
    }

    fn cookie(&self) -> String {
        self.cookie.to_string()
    }
}

pub(crate) struct Scan {
    answers: Answers<ScanResponse>,
    link: Link,
}

impl Scan {
    pub(crate) async fn next(&mut self) -> Result<Option<Item>, Error> {
        match self.answers.message().await {
            Ok(None) => Ok(None),
            Ok(Some(answer)) => convert::item(answer).map(Some).map_err(|text| self.link.wrong(LISTING, text)),
            Err(status) => Err(self.link.explain(LISTING, None, status).await),
        }
    }
}
