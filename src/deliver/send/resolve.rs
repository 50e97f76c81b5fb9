//! Names into addresses.
//!
//! Not a judgement of them: the guard asks the rules about every one, right before it connects. Answers are
//! kept as long as DNS says, but a refusal no longer than half a minute: people mend names and try again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::RecordType;

use crate::deliver::outcome::{AttemptError, Failure};

/// Asks the name servers of this machine, and its hosts file.
pub(super) struct Resolver(Result<TokioResolver, String>);

impl Resolver {
    /// Reads how this machine resolves names. Without any such settings only literal addresses work.
    pub(super) fn of_this_machine() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = QUERY_TIMEOUT;
            options.negative_max_ttl = Some(REFUSAL_AGE_MAX);
            builder.build()
        });
        Self(resolver.map_err(|problem| problem.to_string()))
    }

    /// Forgets what it knows of a name: who mends a name and tries again is not told the old answer.
    pub(super) fn forget(&self, name: &str) {
        if let Ok(resolver) = &self.0 {
            resolver.clear_lookup_cache(absolute(name), RecordType::A);
            resolver.clear_lookup_cache(absolute(name), RecordType::AAAA);
        }
    }

    /// Returns the addresses of a name, IPv4 and IPv6 in turn, at least one.
    ///
    /// # Errors
    /// `dns_error`, and whether the name is at fault or the name servers.
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        if name == "localhost" || name.ends_with(".localhost") {
            // RFC 6761: never a question for DNS.
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        match &self.0 {
            Ok(resolver) => ask(resolver, name).await,
            Err(problem) => Err(unwell(name, problem)),
        }
    }
}

/// Asks for both kinds of address at once. Who has an IPv4 address does not wait long for the other kind:
/// name servers that never answer that question are common.
async fn ask(resolver: &TokioResolver, name: &str) -> Result<Vec<IpAddr>, Failure> {
    let mut v4 = pin!(resolver.lookup(absolute(name), RecordType::A));
    let mut v6 = pin!(resolver.lookup(absolute(name), RecordType::AAAA));
    let (v4, v6) = tokio::select! {
        v6 = &mut v6 => (v4.await, Some(v6)),
        v4 = &mut v4 => {
            let patience = if v4.is_ok() { SECOND_KIND_PATIENCE } else { Duration::MAX };
            (v4, tokio::time::timeout(patience, v6).await.ok())
        }
    };
    let addresses = in_turn(&addresses(&v4), &v6.as_ref().map(addresses).unwrap_or_default());
    if addresses.is_empty() { Err(explain(name, v4.err(), v6.and_then(Result::err))) } else { Ok(addresses) }
}

/// With a dot at its end a name is what it says: the machine's search list is for people who work on it.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn addresses(answer: &Result<Lookup, NetError>) -> Vec<IpAddr> {
    answer.iter().flat_map(|lookup| lookup.answers()).filter_map(|record| record.data.ip_addr()).collect()
}

/// The first of each, the second of each, and so on.
fn in_turn(v4: &[IpAddr], v6: &[IpAddr]) -> Vec<IpAddr> {
    let longer = v4.len().max(v6.len());
    (0..longer).flat_map(|place| [v4.get(place), v6.get(place)]).flatten().copied().collect()
}

fn explain(name: &str, v4: Option<NetError>, v6: Option<NetError>) -> Failure {
    let problems: Vec<_> = [v4, v6].into_iter().flatten().collect();
    if problems.iter().any(NetError::is_nx_domain) {
        return Failure::without_answer(AttemptError::DnsError, format!("the name {name} does not exist"));
    }
    match problems.iter().find(|problem| !problem.is_no_records_found()) {
        None => Failure::without_answer(AttemptError::DnsError, format!("the name {name} exists but has no address")),
        Some(problem) => unwell(name, &problem.to_string()),
    }
}

fn unwell(name: &str, problem: &str) -> Failure {
    let detail = format!("the name servers gave no answer about {name}: {problem}");
    Failure::without_answer(AttemptError::DnsError, detail)
}

const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
const REFUSAL_AGE_MAX: Duration = Duration::from_secs(30);
const SECOND_KIND_PATIENCE: Duration = Duration::from_millis(50);
