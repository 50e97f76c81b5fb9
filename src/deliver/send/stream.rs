//! The bytes between us and a receiver, in the clear or through TLS, and how far one request has got.
//!
//! Not a protocol. What is counted are the bytes of HTTP: a TLS handshake or ticket moves nothing here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connected stream.
#[derive(Debug)]
pub(in crate::deliver) struct Stream {
    transport: Transport,
    progress: Arc<Progress>,
}

#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How far the request under way has got. Written and read by whoever drives the connection, one at a time.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    /// Begins anew, with the next request.
    pub(super) fn begin(&self) {
        self.0.store(NOTHING, Ordering::Relaxed);
    }

    /// Returns whether the whole request has been handed to the machine's network.
    pub(super) fn is_sent(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= SENT
    }

    /// Returns whether any byte of an answer has come.
    pub(super) fn is_answered(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= ANSWERED
    }

    fn reached(&self, stage: u8, from: u8) {
        let now = self.0.load(Ordering::Relaxed);
        if (from..stage).contains(&now) {
            self.0.store(stage, Ordering::Relaxed);
        }
    }
}

impl Stream {
    /// Takes a connection as it is.
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { transport: Transport::Plain(stream), progress: Arc::default() }
    }

    /// Takes a connection whose handshake is done.
    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { transport: Transport::Tls(Box::new(stream)), progress: Arc::default() }
    }

    /// Returns where to look how far a request has got.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, ctx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(ctx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(ctx, buffer),
        };
        if buffer.filled().len() > before {
            self.progress.reached(ANSWERED, NOTHING);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, ctx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.progress.reached(WRITING, NOTHING);
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(ctx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(ctx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress.reached(WRITING, NOTHING);
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(ctx, parts),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(ctx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    /// hyper flushes when it has nothing left to write, so the first flush after a write says "sent".
    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(ctx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(ctx),
        };
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.progress.reached(SENT, WRITING);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(ctx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(ctx),
        }
    }
}

const NOTHING: u8 = 0;
const WRITING: u8 = 1;
const SENT: u8 = 2;
const ANSWERED: u8 = 3;
