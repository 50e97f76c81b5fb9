//! The guard, and the TCP connection it lets through.
//!
//! Not a resolver. Every address is judged right before it is connected to, and the other end's address
//! again afterwards: what was allowed a moment ago, or under another form, counts for nothing.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::road::in_words;
use crate::deliver::outcome::{AttemptError, Failure};
use crate::security::AddressRules;

/// Returns those of some addresses that may be connected to, at least one and at most eight.
///
/// # Errors
/// `forbidden_address` where there is none, with what the first one is.
pub(super) fn admit(addresses: &[IpAddr], port: u16, rules: &AddressRules) -> Result<Vec<SocketAddr>, Failure> {
    let admitted: Vec<_> = addresses
        .iter()
        .filter(|address| rules.check(**address).is_ok())
        .take(CANDIDATES_MAX)
        .map(|address| SocketAddr::new(*address, port))
        .collect();
    if !admitted.is_empty() {
        return Ok(admitted);
    }
    let refusal = addresses.first().and_then(|address| rules.check(*address).err());
    let why = refusal.map_or_else(|| "there is no address".to_owned(), |refusal| refusal.to_string());
    Err(Failure::without_answer(AttemptError::ForbiddenAddress, why))
}

/// Connects to the first of some addresses that answers.
///
/// They are tried in turn; the next one begins when the one before has failed or has been silent for a
/// quarter of a second, and all go on until one is there.
///
/// # Errors
/// `forbidden_address`, or what went wrong with the address that came nearest.
/// # Source
/// RFC 8305, section 5.
pub(super) async fn connect(
    candidates: &[SocketAddr],
    rules: &AddressRules,
    within: Duration,
) -> Result<TcpStream, Failure> {
    timeout(within, race(candidates, rules)).await.unwrap_or_else(|_| {
        let addresses: Vec<_> = candidates.iter().map(ToString::to_string).collect();
        let detail = format!("no connection with {} within {}", addresses.join(", "), in_words(within));
        Err(Failure::without_answer(AttemptError::Timeout, detail))
    })
}

async fn race(candidates: &[SocketAddr], rules: &AddressRules) -> Result<TcpStream, Failure> {
    let mut running: Vec<Running<'_>> = Vec::with_capacity(candidates.len());
    let mut failures = Vec::new();
    let mut waiting = candidates.iter();
    loop {
        if let Some(candidate) = waiting.next() {
            running.push(Box::pin(connect_one(*candidate, rules)));
        } else if running.is_empty() {
            break;
        }
        let one_ends = poll_fn(|ctx| poll_any(&mut running, ctx));
        let ended = if waiting.len() == 0 { Ok(one_ends.await) } else { timeout(STAGGER, one_ends).await };
        match ended {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(failure)) => failures.push(failure),
            Err(_silent) => {}
        }
    }
    let nearest = failures.into_iter().max_by_key(|failure| nearness(failure.error));
    Err(nearest.unwrap_or_else(|| Failure::without_answer(AttemptError::NetworkUnreachable, "there is no address")))
}

fn poll_any(running: &mut Vec<Running<'_>>, ctx: &mut Context<'_>) -> Poll<Result<TcpStream, Failure>> {
    let ended = running.iter_mut().enumerate().find_map(|(place, one)| match one.as_mut().poll(ctx) {
        Poll::Ready(result) => Some((place, result)),
        Poll::Pending => None,
    });
    ended.map_or(Poll::Pending, |(place, result)| {
        drop(running.swap_remove(place));
        Poll::Ready(result)
    })
}

async fn connect_one(address: SocketAddr, rules: &AddressRules) -> Result<TcpStream, Failure> {
    guard(address.ip(), rules)?;
    let stream = TcpStream::connect(address).await.map_err(|problem| explain(address, &problem))?;
    let peer = stream.peer_addr().map_err(|problem| explain(address, &problem))?;
    guard(peer.ip(), rules)?;
    // Requests are written whole, so waiting for more to write only costs time.
    stream.set_nodelay(true).map_err(|problem| explain(address, &problem))?;
    Ok(stream)
}

fn guard(address: IpAddr, rules: &AddressRules) -> Result<(), Failure> {
    rules.check(address).map_err(|why| Failure::without_answer(AttemptError::ForbiddenAddress, why.to_string()))
}

fn explain(address: SocketAddr, problem: &io::Error) -> Failure {
    let (error, detail) = match problem.kind() {
        io::ErrorKind::ConnectionRefused => {
            (AttemptError::ConnectionRefused, format!("{address} refused the connection: nobody listens there"))
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            (AttemptError::ConnectionReset, format!("{address} cut the connection while it was being made"))
        }
        io::ErrorKind::TimedOut => (AttemptError::Timeout, format!("{address} did not answer")),
        // Unreachable networks and hosts, filters on the way, and sockets this machine has run out of.
        _ => (AttemptError::NetworkUnreachable, format!("{address} cannot be reached: {problem}")),
    };
    Failure::without_answer(error, detail)
}

/// How near an attempt came to its end: what is said of a name with many addresses is the best of them.
const fn nearness(error: AttemptError) -> u8 {
    match error {
        AttemptError::ConnectionRefused => 3,
        AttemptError::ConnectionReset => 2,
        AttemptError::Timeout => 1,
        AttemptError::DnsError
        | AttemptError::NetworkUnreachable
        | AttemptError::TlsError
        | AttemptError::HttpStatus
        | AttemptError::Redirect
        | AttemptError::ForbiddenAddress
        | AttemptError::InvalidAnswer
        | AttemptError::Cancelled
        | AttemptError::InvalidSettings => 0,
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<TcpStream, Failure>> + Send + 'a>>;

const CANDIDATES_MAX: usize = 8;
const STAGGER: Duration = Duration::from_millis(250);
