//! `dead_endpoints`: what 900 endpoints that take nothing cost the 100 that do.
//!
//! The ceiling is hooklog itself, where the 900 are not there: everything else is the same.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{Rounds, directory, microseconds_each, per_second, runtime};
use crate::events::Events;
use crate::receiver::Receiver;
use crate::report::{Figure, Goal};
use crate::server::Server;

/// The same events, posted and delivered to 100 endpoints, with and without 900 beside them that take nothing.
pub(super) fn endpoints(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let each = rounds.events(EVENTS_EACH);
    let deliveries = each * ACCOUNTS * HEALTHY_EACH;
    let (mut values, mut ceilings) = (Vec::new(), Vec::new());
    for round in 0..rounds.count {
        let (alone, alone_cpu) = deliver(each, 0)?;
        let (beside, beside_cpu) = deliver(each, DEAD_EACH)?;
        let (alone, beside) = (per_second(deliveries, alone), per_second(deliveries, beside));
        eprintln!(
            "   {round}: {beside:.0}/s with {:.1} µs of processor a delivery; without the dead {alone:.0}/s with {:.1} µs",
            microseconds_each(beside_cpu, deliveries),
            microseconds_each(alone_cpu, deliveries)
        );
        values.push(beside);
        ceilings.push(alone);
    }
    let goal = Goal::ShareOfCeiling(0.9);
    Ok(vec![Figure { name: "dead_endpoints", unit: "deliveries/s", values, ceilings, goal }])
}

/// Posts events to every account; returns how long it took until the healthy endpoints had all of them.
fn deliver(each: usize, dead: usize) -> anyhow::Result<(Duration, Duration)> {
    let directory = directory()?;
    let runtime = runtime()?;
    let receiver = runtime.block_on(Receiver::start())?;
    let (refusing, hanging) = (refusing()?, hanging(&runtime)?);
    let server = Server::start(directory.path())?;
    let url = |address: SocketAddr| format!("http://{address}/in");
    let mut urls = vec![receiver.url(); HEALTHY_EACH];
    urls.extend((0..dead).map(|number| url(if number % 2 == 0 { refusing } else { hanging })));
    let accounts: Vec<String> = (0..ACCOUNTS).map(|number| format!("account-{number}")).collect();
    accounts.iter().try_for_each(|account| server.make_account_with(account, &urls))?;

    // Whoever is dead is known to be: the first event of each account is not measured.
    let mut events = Events::new();
    let first = Arc::new(events.batches(1, 1));
    receiver.want(ACCOUNTS * HEALTHY_EACH);
    post(&server, &runtime, &accounts, &first, 1)?;
    runtime.block_on(receiver.wait(PATIENCE))?;

    let bodies = Arc::new(events.batches(each, BATCH));
    let deliveries = (each + 1) * ACCOUNTS * HEALTHY_EACH;
    receiver.want(deliveries);
    let (started, cpu) = (Instant::now(), server.cpu()?);
    post(&server, &runtime, &accounts, &bodies, each)?;
    let ended = runtime.block_on(receiver.wait(PATIENCE))?;
    let cpu = server.cpu()?.saturating_sub(cpu);
    for account in &accounts {
        for healthy in 0..HEALTHY_EACH {
            server.check_ledger_of(&format!("/api/v1/accounts/{account}/endpoints/to-{healthy}"), each + 1)?;
        }
    }
    ensure!(receiver.count() == deliveries, "{deliveries} deliveries came in {} requests", receiver.count());
    server.kill()?;
    Ok((ended - started, cpu))
}

/// Posts the same bodies to all accounts, over a connection each.
fn post(
    server: &Server,
    runtime: &tokio::runtime::Runtime,
    accounts: &[String],
    bodies: &Arc<Vec<bytes::Bytes>>,
    events: usize,
) -> anyhow::Result<()> {
    let loads = accounts.iter().map(|account| server.load_of(account, "application/x-ndjson", 1));
    let loads: Vec<_> = loads.collect();
    let posts = loads.iter().map(|load| load.closed(bodies));
    for posted in runtime.block_on(futures_util::future::join_all(posts)) {
        let (_, taken) = posted?;
        ensure!(taken == events, "{events} events were posted and {taken} taken");
    }
    Ok(())
}

/// An address at which nobody listens.
fn refusing() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// An address at which every connection is taken and nothing is ever answered.
fn hanging(runtime: &tokio::runtime::Runtime) -> anyhow::Result<SocketAddr> {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    runtime.spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    Ok(address)
}

const ACCOUNTS: usize = 50;
const HEALTHY_EACH: usize = 2;
/// 900 in all; half of them refuse every connection, half never answer.
const DEAD_EACH: usize = 18;
const EVENTS_EACH: usize = 1_000;
const BATCH: usize = 20;
const PATIENCE: Duration = Duration::from_secs(300);
