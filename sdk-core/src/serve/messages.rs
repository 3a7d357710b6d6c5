//! Messages of the calls that are answered here, without tonic's services in between.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, Incoming};
use prost::Message;
use tonic::body::Body;
use tonic::codec::Codec;
use tonic::{Status, Streaming};

use super::answer_body::AnswerBody;
use super::encoding::framed;
use super::instance::status;
use super::transport::BoxError;
use crate::Error;

/// The largest message that a host sends: its chunks have 1 MiB, its records rarely more than 1 KiB.
pub(crate) const LARGEST_MESSAGE: usize = 5 << 20;

/// The one message of a request.
pub(crate) async fn only_message<M: Message + Default + 'static>(body: Incoming) -> Result<M, Status> {
    messages(body).message().await?.ok_or_else(|| Status::invalid_argument("the call came without a message"))
}

/// The messages of a request.
pub(crate) fn messages<M, B>(body: B) -> Streaming<M>
where
    M: Message + Default + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let decoder = tonic_prost::ProstCodec::<M, M>::default().decoder();
    Streaming::new_request(decoder, body, None, Some(LARGEST_MESSAGE))
}

/// The whole answer to a call that is answered with one message, or with the error that came instead of it.
pub(crate) fn answer<M: Message>(result: Result<M, Status>) -> http::Response<AnswerBody> {
    encoded(result.map(|message| {
        let mut out = Vec::with_capacity(5 + message.encoded_len());
        framed(&mut out, |out| message.encode_raw(out));
        out.into()
    }))
}

/// The same with the message as it travels.
pub(crate) fn encoded(result: Result<Bytes, Status>) -> http::Response<AnswerBody> {
    match result {
        Err(status) => status.into_http(),
        Ok(message) => streamed(Body::new(OneMessage::Message(message))),
    }
}

/// Answers a call that has one message either way.
pub(crate) async fn unary<Q, A, F>(request: http::Request<Incoming>, call: impl FnOnce(Q) -> F) -> http::Response<AnswerBody>
where
    Q: Message + Default + 'static,
    A: Message,
    F: Future<Output = Result<A, Status>>,
{
    let answered = async { call(only_message(request.into_body()).await?).await };
    answer(answered.await)
}

/// Answers a call of a method that the service does not have.
pub(crate) fn unknown(method: &str) -> http::Response<AnswerBody> {
    status(&Error::not_supported(format_args!("the call {method}"))).into_http()
}

/// An answer with a body that was put together here.
pub(super) fn streamed(body: impl Into<AnswerBody>) -> http::Response<AnswerBody> {
    let mut response = http::Response::new(body.into());
    response.headers_mut().insert(http::header::CONTENT_TYPE, tonic::metadata::GRPC_CONTENT_TYPE);
    response
}

/// The frame that ends an answer with a status.
pub(super) fn trailers<D>(status: &Status) -> Result<Frame<D>, Status> {
    let mut trailers = http::HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}

/// The body of an answer with one message.
enum OneMessage {
    Message(Bytes),
    Trailers,
    End,
}

impl hyper::body::Body for OneMessage {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(match std::mem::replace(&mut *self, OneMessage::End) {
            OneMessage::Message(message) => {
                *self = OneMessage::Trailers;
                Some(Ok(Frame::data(message)))
            }
            OneMessage::Trailers => Some(trailers(&Status::ok(""))),
            OneMessage::End => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, OneMessage::End)
    }
}
