//! The receiver against real requests over real sockets.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use url::Url;

use crate::cli::http::Http;
use crate::model::{EventId, Sequence, Timestamp};
use crate::runtime::{Clock, Random, ShutdownTrigger, Tasks, shutdown};
use crate::security::{SignatureScheme, Signer, Verifier, sign};

use super::{Check, Options, Receiver};

/// A receiver at work, and somebody who posts to it.
struct Case {
    receiver: Receiver,
    http: Http,
    stop: ShutdownTrigger,
    tasks: Tasks,
    secret: Signer,
}

const BODY: &str = r#"{"id":"evt_1","type":"call.ended"}"#;

impl Case {
    async fn start(options: impl FnOnce(&Signer) -> Options) -> Self {
        let secret = Signer::make(SignatureScheme::V1, &mut Random::from_seed(1));
        let receiver = Receiver::new(options(&secret), Clock::system());
        Self::serve(receiver, secret).await
    }

    async fn serve(receiver: Receiver, secret: Signer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (stop, signal) = shutdown();
        let tasks = Tasks::new();
        let serving = receiver.clone();
        tasks.spawn(async move { serving.serve(listener, signal).await });
        let http = Http::new(&url, Tasks::new()).unwrap();
        Self { receiver, http, stop, tasks, secret }
    }

    async fn post(&mut self, headers: &[(&str, &str)]) -> StatusCode {
        let mut request = Request::post(self.http.target("/").unwrap()).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from_static(BODY.as_bytes()))).unwrap();
        self.http.send(request, Duration::from_secs(5)).await.unwrap().status
    }

    async fn deliver(&mut self, sequence: u64) -> StatusCode {
        let signed = self.signed(Timestamp(Clock::system().wall_ms()));
        let sequence = sequence.to_string();
        let mut headers = signed.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
        headers.extend([("hooklog-account", "acme"), ("hooklog-endpoint", "crm"), ("hooklog-sequence", &sequence)]);
        self.post(&headers).await
    }

    fn signed(&self, now: Timestamp) -> [(&'static str, String); 3] {
        let signature =
            sign(&EventId::parse("evt_1").unwrap(), now, BODY.as_bytes(), std::slice::from_ref(&self.secret));
        [
            ("webhook-id", "evt_1".to_owned()),
            ("webhook-timestamp", now.seconds().to_string()),
            ("webhook-signature", signature),
        ]
    }
}

fn verifying(secret: &Signer) -> Options {
    Options { secrets: vec![Verifier::of(secret)], ..Options::default() }
}

#[tokio::test]
async fn a_true_signature_is_verified_and_a_wrong_one_refused() {
    let mut case = Case::start(verifying).await;
    assert_eq!(case.deliver(1).await, StatusCode::OK);
    assert_eq!(case.post(&[]).await, StatusCode::UNAUTHORIZED, "no signature at all");
    case.secret = Signer::make(SignatureScheme::V1, &mut Random::from_seed(2));
    assert_eq!(case.deliver(2).await, StatusCode::UNAUTHORIZED, "another secret");
    let tally = case.receiver.tally();
    assert_eq!((tally.received, tally.accepted, tally.verified, tally.unverified), (3, 1, 1, 2));
    assert_eq!(tally.bytes, 3 * u64::try_from(BODY.len()).unwrap());
}

#[tokio::test]
async fn an_old_signature_is_refused_though_it_fits() {
    let mut case = Case::start(verifying).await;
    let signed = case.signed(Timestamp(Clock::system().wall_ms() - 600_000));
    let headers = signed.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
    assert_eq!(case.post(&headers).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_a_secret_nothing_is_verified_and_nothing_refused() {
    let mut case = Case::start(|_| Options::default()).await;
    assert_eq!(case.post(&[]).await, StatusCode::OK);
    let tally = case.receiver.tally();
    assert_eq!((tally.accepted, tally.verified, tally.unverified), (1, 0, 0));
}

#[tokio::test]
async fn gaps_and_duplicates_are_of_what_was_accepted() {
    let mut case = Case::start(|secret| Options { first_sequence: Some(Sequence(1)), ..verifying(secret) }).await;
    for sequence in [2, 5, 5, 3] {
        assert_eq!(case.deliver(sequence).await, StatusCode::OK);
    }
    let gaps: Vec<_> = case.receiver.gaps().iter().map(ToString::to_string).collect();
    assert_eq!(gaps, ["acme/crm sequence 1", "acme/crm sequence 4"]);
    assert_eq!(case.receiver.tally().duplicates, 1);
    let forged =
        case.post(&[("hooklog-account", "acme"), ("hooklog-endpoint", "crm"), ("hooklog-sequence", "4")]).await;
    assert_eq!(
        (forged, case.receiver.gaps().len()),
        (StatusCode::UNAUTHORIZED, 2),
        "what is not verified fills no gap"
    );
    for sequence in [1, 4] {
        case.deliver(sequence).await;
    }
    assert_eq!(case.receiver.gaps(), []);
}

#[tokio::test]
async fn what_is_answered_with_a_failure_has_not_arrived() {
    let statuses = vec![StatusCode::INTERNAL_SERVER_ERROR, StatusCode::OK];
    let mut case = Case::start(|secret| Options { statuses, ..verifying(secret) }).await;
    assert_eq!(case.deliver(1).await, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(case.deliver(1).await, StatusCode::OK, "statuses take turns");
    let tally = case.receiver.tally();
    assert_eq!((tally.received, tally.accepted, tally.duplicates), (2, 1, 0), "the retry is no duplicate");
}

#[tokio::test]
async fn it_is_told_of_every_delivery() {
    let (told, mut deliveries) = mpsc::channel(8);
    let secret = Signer::make(SignatureScheme::V1, &mut Random::from_seed(1));
    let options = Options { keeps_bodies: true, ..verifying(&secret) };
    let receiver = Receiver::new(options, Clock::system()).telling(told);
    let mut case = Case::serve(receiver, secret).await;
    case.deliver(7).await;
    case.post(&[("hooklog-replay", "job_1")]).await;
    let first = deliveries.recv().await.unwrap();
    assert_eq!(
        (first.check.clone(), first.header("hooklog-sequence"), first.status),
        (Check::Verified, Some("7"), 200)
    );
    assert_eq!(first.body.unwrap(), BODY);
    let second = deliveries.recv().await.unwrap();
    assert!(matches!(&second.check, Check::Refused(reason) if reason.contains("webhook-id")), "{:?}", second.check);
    assert_eq!(case.receiver.tally().replayed, 1);
}

#[tokio::test]
async fn it_can_be_taken_down_and_brought_back() {
    let mut case = Case::start(verifying).await;
    case.deliver(1).await;
    case.stop.give();
    case.tasks.all_ended().await;
    let request = Request::post("/").body(Full::new(Bytes::new())).unwrap();
    assert!(case.http.send(request, Duration::from_secs(5)).await.is_err(), "nobody listens");
    let mut again = Case::serve(case.receiver, case.secret).await;
    assert_eq!(again.deliver(1).await, StatusCode::OK);
    assert_eq!(again.receiver.tally().duplicates, 1, "what had arrived is remembered");
}

#[tokio::test]
async fn the_end_waits_for_numbers_that_are_under_way() {
    let mut case = Case::start(verifying).await;
    case.deliver(1).await;
    case.deliver(3).await;
    let (receiver, waiting) = (case.receiver.clone(), Tasks::new());
    let (done, mut ended) = mpsc::channel(1);
    waiting.spawn(async move {
        receiver.received(2).await;
        done.send(receiver.settled(Duration::from_secs(30)).await).await.unwrap();
    });
    case.deliver(5).await;
    case.deliver(2).await;
    assert_eq!(ended.recv().await.unwrap(), [], "nothing is missing below 3");
    assert_eq!(case.receiver.gaps().len(), 1, "that 4 is missing was seen after the end was asked for");
}

#[tokio::test]
async fn only_posts_are_deliveries() {
    let mut case = Case::start(verifying).await;
    let request =
        Request::get(case.http.target("/").unwrap()).header("host", "localhost").body(Full::new(Bytes::new())).unwrap();
    let answer = case.http.send(request, Duration::from_secs(5)).await.unwrap();
    assert_eq!(
        (answer.status, answer.headers.get("allow").unwrap().to_str().unwrap()),
        (StatusCode::METHOD_NOT_ALLOWED, "POST")
    );
    assert_eq!(case.receiver.tally().received, 0);
}
