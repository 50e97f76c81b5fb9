//! Reads the body of a request, within a size and a time.
//!
//! Not a parser. A body that arrives in one piece is handed on as that piece; only pieces are put together. This is
//! the only way to a whole body: nothing in hooklog collects one without a limit.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use tokio::time::Sleep;

use super::codes::Code;
use super::problem::Problem;

/// How much of a body is taken, and how long it may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes, at most.
    pub bytes_max: usize,
    /// From when the body is asked for until its last byte.
    pub timeout: Duration,
}

/// Reads a whole body.
///
/// # Errors
/// `payload_too_large`, before a byte is read where the length is announced; `request_timeout`; `bad_request` where
/// the body ends early or its chunks are malformed.
pub async fn read_body<B>(mut body: B, limits: BodyLimits) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Unpin,
{
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limits.bytes_max {
        return Err(too_large(limits));
    }
    let mut deadline = Deadline { after: limits.timeout, sleep: None };
    let Some(first) = next_piece(&mut body, &mut deadline, limits).await? else {
        return Ok(Bytes::new());
    };
    // The common case ends here: one piece, and the body knows that it was the last.
    if body.is_end_stream() && first.len() <= limits.bytes_max {
        return Ok(first);
    }
    let mut whole = BytesMut::new();
    let mut piece = first;
    loop {
        if piece.len() > limits.bytes_max.saturating_sub(whole.len()) {
            return Err(too_large(limits));
        }
        let Some(next) = next_piece(&mut body, &mut deadline, limits).await? else {
            // Nothing was put together yet: the only piece is the whole.
            if whole.is_empty() {
                return Ok(piece);
            }
            whole.extend_from_slice(&piece);
            return Ok(whole.freeze());
        };
        if whole.is_empty() {
            whole.reserve(announced.max(piece.len() + next.len()));
        }
        whole.extend_from_slice(&piece);
        piece = next;
    }
}

/// Reads on until there is data; trailers are not asked for by anyone.
async fn next_piece<B>(body: &mut B, deadline: &mut Deadline, limits: BodyLimits) -> Result<Option<Bytes>, Problem>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>> + Unpin,
{
    loop {
        let frame = poll_fn(|cx| match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Some(frame)),
            Poll::Pending => deadline.poll(cx).map(|()| None),
        });
        match frame.await {
            None => return Err(too_slow(limits)),
            Some(None) => return Ok(None),
            Some(Some(Err(failure))) => return Err(broken(&*failure.into())),
            Some(Some(Ok(frame))) => {
                if let Some(data) = Frame::into_data(frame).ok().filter(|data| !data.is_empty()) {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A timer that is made only when there is something to wait for.
struct Deadline {
    after: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let after = self.after;
        self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(after))).as_mut().poll(cx)
    }
}

fn too_large(limits: BodyLimits) -> Problem {
    Problem::new(Code::PayloadTooLarge)
        .detail(format!("the body has more than {} bytes", limits.bytes_max))
        .with("bytesMax", limits.bytes_max)
}

fn too_slow(limits: BodyLimits) -> Problem {
    Problem::new(Code::RequestTimeout)
        .detail(format!("the body did not arrive within {} ms", limits.timeout.as_millis()))
}

fn broken(failure: &(dyn StdError + 'static)) -> Problem {
    let mut cause = Some(failure);
    let mut kind = None;
    while let Some(error) = cause {
        kind = kind.or_else(|| error.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
        cause = error.source();
    }
    Problem::new(Code::BadRequest).detail(match kind {
        Some(std::io::ErrorKind::UnexpectedEof) => "the connection ended in the middle of the body",
        Some(std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData) => {
            "the body is not in the chunks that its head announces"
        }
        _ => "the body could not be read to its end",
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use bytes::Bytes;
    use http::HeaderMap;
    use http_body_util::Full;
    use hyper::body::{Body, Frame};

    use super::{BodyLimits, Code, Problem, read_body};

    const LIMITS: BodyLimits = BodyLimits { bytes_max: 8, timeout: Duration::from_millis(20) };

    /// Gives its frames one by one, then ends or hangs. Announces no length.
    struct Pieces {
        frames: Vec<Frame<Bytes>>,
        hangs: bool,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if !self.frames.is_empty() {
                return Poll::Ready(Some(Ok(self.frames.remove(0))));
            }
            if self.hangs { Poll::Pending } else { Poll::Ready(None) }
        }
    }

    fn pieces(texts: &[&'static str], hangs: bool) -> Pieces {
        let frames = texts.iter().map(|text| Frame::data(Bytes::from_static(text.as_bytes())));
        Pieces { frames: frames.chain([Frame::trailers(HeaderMap::new())]).collect(), hangs }
    }

    #[tokio::test]
    async fn pieces_are_put_together_up_to_the_limit() {
        let check = async |texts: &[&'static str], expected: Result<&'static str, Code>| {
            let read = read_body(pieces(texts, false), LIMITS).await.map_err(|problem: Problem| problem.code());
            assert_eq!(read, expected.map(Bytes::from), "{texts:?}");
        };
        check(&[], Ok("")).await;
        check(&["", ""], Ok("")).await;
        check(&["12345678"], Ok("12345678")).await;
        check(&["1234", "", "567", "8"], Ok("12345678")).await;
        check(&["123456789"], Err(Code::PayloadTooLarge)).await;
        check(&["1234", "5678", "9"], Err(Code::PayloadTooLarge)).await;
    }

    #[tokio::test]
    async fn one_piece_is_handed_on_without_a_copy() {
        let given = Bytes::from(vec![1; 8]);
        let read = read_body(Full::new(given.clone()), LIMITS).await.unwrap();
        assert_eq!(read.as_ptr(), given.as_ptr());
        let frames = vec![Frame::data(given.clone())];
        let read = read_body(Pieces { frames, hangs: false }, LIMITS).await.unwrap();
        assert_eq!(read.as_ptr(), given.as_ptr());
    }

    #[tokio::test]
    async fn a_body_that_stops_coming_times_out() {
        for texts in [&[][..], &["123"]] {
            let problem = read_body(pieces(texts, true), LIMITS).await.unwrap_err();
            assert_eq!(problem.code(), Code::RequestTimeout);
        }
    }

    #[tokio::test]
    async fn an_announced_length_is_refused_before_a_byte_is_read() {
        let problem = read_body(Full::new(Bytes::from(vec![0; 9])), LIMITS).await.unwrap_err();
        assert_eq!(problem.code(), Code::PayloadTooLarge);
        assert_eq!(problem.document("").members["bytesMax"], 8);
    }
}
