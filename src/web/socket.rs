//! A connection's bytes: plain or TLS, with what hyper does not do for them.
//!
//! Not HTTP. It tells [`Progress`] that bytes arrive, gives up on a peer that takes nothing any more, holds back
//! hyper's own bare refusals so that the listener can say more, and closes in a way that lets the peer read the
//! last answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::progress::{Progress, Stage};
use super::request_id::REQUEST_ID;

/// What carries the bytes. One type for both, so that the HTTP machine is compiled once.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// One connection's bytes as the HTTP machine sees them.
#[derive(Debug)]
pub(super) struct Socket {
    transport: Transport,
    progress: Arc<Progress>,
    write_timeout: Duration,
    /// Runs only while the peer takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
    /// Whether all that was written before is gone: only then what follows can be a refusal.
    is_flushed: bool,
    /// Whether the peer has closed its side.
    is_at_end: bool,
    refusal: Option<StatusCode>,
}

impl Socket {
    pub(super) const fn new(transport: Transport, progress: Arc<Progress>, write_timeout: Duration) -> Self {
        Self { transport, progress, write_timeout, stall: None, is_flushed: true, is_at_end: false, refusal: None }
    }

    /// Returns the status of a refusal by the HTTP machine itself, which was held back.
    pub(super) const fn refusal(&self) -> Option<StatusCode> {
        self.refusal
    }

    /// Closes: says what is left to say, then reads what the peer still sends until it has heard of the end.
    ///
    /// A socket that is closed with unread bytes is reset, and a reset may overtake the answer.
    pub(super) async fn close(mut self, last_words: &[u8]) {
        let transport = &mut self.transport;
        let said = tokio::time::timeout(self.write_timeout, async {
            transport.write_all(last_words).await?;
            transport.shutdown().await
        });
        if !matches!(said.await, Ok(Ok(()))) || self.is_at_end {
            return;
        }
        let until_the_end = async {
            let mut discarded = Vec::with_capacity(LINGER_READ_BYTES);
            let mut left = LINGER_BYTES_MAX;
            while left > 0 {
                discarded.clear();
                match self.transport.read_buf(&mut discarded).await {
                    Ok(0) | Err(_) => return,
                    Ok(read) => left = left.saturating_sub(read),
                }
            }
        };
        // Whether the end came or the time ran out: in both cases the socket is dropped now.
        tokio::time::timeout(LINGER, until_the_end).await.ok();
    }

    /// Fails what waits too long on a peer that takes nothing.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            // The machine may have handed over all of an answer long before the peer has taken it.
            if self.stall.take().is_some() {
                self.progress.bytes_taken();
            }
            return poll;
        }
        let write_timeout = self.write_timeout;
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(write_timeout)));
        match stall.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Recognises an answer that no service gave: hyper's own, which carries no request id.
    fn is_held_back(&mut self, bytes: &[u8]) -> bool {
        let may_be_refusal = self.is_flushed
            && (bytes.starts_with(b"HTTP/1.1 4") || bytes.starts_with(b"HTTP/1.0 4"))
            && self.progress.stage() != Stage::Answering;
        if may_be_refusal && !contains(bytes, REQUEST_ID.as_str().as_bytes()) && bytes.ends_with(b"\r\n\r\n") {
            self.refusal = bytes.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok());
        }
        self.refusal.is_some()
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.transport).poll_read(cx, buffer);
        if matches!(poll, Poll::Ready(Ok(()))) {
            if buffer.filled().len() > before {
                self.progress.bytes_arrived();
            } else {
                self.is_at_end = true;
            }
        }
        poll
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_held_back(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.is_flushed = false;
        let poll = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.bounded(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = slices
            && self.is_held_back(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        self.is_flushed = false;
        let poll = Pin::new(&mut self.transport).poll_write_vectored(cx, slices);
        self.bounded(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.transport).poll_flush(cx);
        self.is_flushed |= poll.is_ready();
        self.bounded(cx, poll)
    }

    /// Does nothing: the listener closes, after it has said what there is to say.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Long enough for a peer across the world to read the answer and close.
const LINGER: Duration = Duration::from_secs(1);
/// A peer that goes on sending more than this has had its chance to look.
const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;
const LINGER_READ_BYTES: usize = 16 * 1024;
