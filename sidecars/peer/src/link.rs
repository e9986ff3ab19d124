//! The link to the controller: heartbeats out, answers in.
//!
//! One heartbeat at a time over one kept connection: at the interval that the last answer asked for, and at
//! once when something changed ([`Link::touch`]). An error closes the connection, slows the pace down, and gives the
//! next controller its turn.
//! How long the controller has been silent is measured on the monotonic clock; a refused token is silence
//! too, because neither tells what the controller wants.

use crate::controllers::Controllers;
use crate::http::{self, Error};
use crate::jitter::Jitter;
use crate::pace::{self, Pace};
use crate::settings::Wrong;
use crate::wire::{Activity, Answer, Heartbeat, PeerHealth, SidecarState};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

/// An answer later than this is none.
const LIMIT: Duration = Duration::from_secs(3);
/// What the last heartbeat may delay the exit by.
const FAREWELL: Duration = Duration::from_millis(500);

/// Where the controller is, and the proof of who asks.
#[derive(Debug, Clone)]
pub struct Settings {
    controllers: Controllers,
    token: HeaderValue,
}

impl Settings {
    /// From `DORMOUSE_CONTROLLER_URL` and `DORMOUSE_TASK_TOKEN`.
    ///
    /// # Errors
    /// A URL that is not `http://host[:port][/prefix]` (several: with commas), or a token that cannot stand in a header.
    pub fn new(urls: &str, token: &str) -> Result<Settings, Wrong> {
        let controllers = Controllers::new(urls)?;
        // The token itself is a secret: no message repeats it.
        let mut token = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Wrong::new("DORMOUSE_TASK_TOKEN", None, "the task's token: visible ASCII"))?;
        token.set_sensitive(true);
        Ok(Settings { controllers, token })
    }
}

/// What a sidecar has to say; the link adds who and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How far this sidecar is.
    pub state: SidecarState,
    /// The watch over the other half; `None` until its address is known.
    pub peer: Option<PeerHealth>,
    /// Traffic; from proxies only.
    pub activity: Option<Activity>,
    /// The user's container asked for its own sleep, with the words for the event.
    pub sleep_requested: Option<String>,
    /// Whether the user's container is busy; from service sidecars that ask it.
    pub busy: Option<bool>,
    /// Why the sidecar is where it is.
    pub detail: Option<String>,
}

/// The two ends of the conversation, as the sidecar sees them. Both are called from the link's task, must
/// not block, and see the sidecar's own shared state.
pub trait Sidecar: Send + Sync + 'static {
    /// What to say now.
    fn report(&self) -> Report;
    /// The controller answered this heartbeat.
    fn heard(&self, told: &Heartbeat, answer: Answer);
}

#[derive(Debug)]
struct Shared {
    start: Instant,
    changed: Notify,
    /// Milliseconds after `start` at which the last answer came, plus one; 0 when none did.
    answered: AtomicU64,
}

/// A handle to the running link.
#[derive(Debug, Clone)]
pub struct Link(Arc<Shared>);

impl Link {
    /// Something changed that the controller should know now. Changes close together make one heartbeat.
    pub fn touch(&self) {
        self.0.changed.notify_one();
    }

    /// For how long no heartbeat was answered; since the start when none ever was.
    pub fn silent_for(&self) -> Duration {
        let answered = self.0.answered.load(Ordering::Acquire).saturating_sub(1);
        self.0.start.elapsed().saturating_sub(Duration::from_millis(answered))
    }

    /// Whether the controller ever answered.
    pub fn ever_answered(&self) -> bool {
        self.0.answered.load(Ordering::Acquire) != 0
    }
}

/// Ends the link with one last heartbeat.
#[derive(Debug)]
pub struct Farewell {
    ask: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Farewell {
    /// Sends what the sidecar now reports, once and for at most half a second. Whoever calls it has set the
    /// state to [`SidecarState::Stopping`].
    pub async fn say(self) {
        let _ = self.ask.send(());
        let abort = self.task.abort_handle();
        if timeout(FAREWELL, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// Starts the link in a task of its own.
pub fn start(settings: Settings, sidecar: Arc<dyn Sidecar>) -> (Link, Farewell) {
    let shared =
        Arc::new(Shared { start: Instant::now(), changed: Notify::new(), answered: AtomicU64::new(0) });
    let (ask, asked) = oneshot::channel();
    let mut jitter = Jitter::new();
    let sending = Sending {
        shared: Arc::clone(&shared),
        boot: format!("{:016x}", jitter.number()),
        seq: 0,
        token: settings.token,
        controllers: settings.controllers,
        sidecar,
        connection: None,
        said: None,
    };
    let task = tokio::spawn(run(sending, Pace::new(jitter), asked));
    (Link(shared), Farewell { ask, task })
}

async fn run(mut sending: Sending, mut pace: Pace, mut asked: oneshot::Receiver<()>) {
    loop {
        let began = Instant::now();
        let result = tokio::select! {
            result = sending.heartbeat(LIMIT) => result,
            _ = &mut asked => break,
        };
        let delay = match result {
            Ok(interval_ms) => pace.answered(interval_ms),
            Err(_) => pace.failed(),
        };
        let shared = Arc::clone(&sending.shared);
        tokio::select! {
            () = sleep_until(began + delay) => {}
            () = async { shared.changed.notified().await; sleep_until(began + pace::CLOSEST).await } => {}
            _ = &mut asked => break,
        }
    }
    let _ = sending.heartbeat(FAREWELL).await;
}

/// The sending end: owned by the link's task alone.
struct Sending {
    shared: Arc<Shared>,
    token: HeaderValue,
    controllers: Controllers,
    sidecar: Arc<dyn Sidecar>,
    boot: String,
    seq: u64,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// The last error logged, so that a long silence is logged once.
    said: Option<String>,
}

impl Sending {
    /// One heartbeat and its answer; gives the interval that the controller asks for.
    async fn heartbeat(&mut self, limit: Duration) -> Result<u64, ()> {
        self.seq += 1;
        let Report { state, peer, activity, sleep_requested, busy, detail } = self.sidecar.report();
        let boot = self.boot.clone();
        let seq = self.seq;
        let heartbeat = Heartbeat { boot, seq, state, peer, activity, sleep_requested, busy, detail };
        let result = timeout(limit, self.exchange(&heartbeat)).await;
        match result.unwrap_or_else(|_| Err("no answer in time".into())) {
            Ok(answer) => {
                let now = u64::try_from(self.shared.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
                if self.shared.answered.swap(now + 1, Ordering::AcqRel) == 0 || self.said.take().is_some() {
                    tracing::info!("the controller answers");
                }
                let interval_ms = answer.interval_ms;
                self.controllers.told(&answer.controllers);
                self.sidecar.heard(&heartbeat, answer);
                Ok(interval_ms)
            }
            Err(error) => {
                let words = error.to_string();
                if self.said.as_ref() != Some(&words) {
                    let controller = self.controllers.current().authority();
                    tracing::warn!(error = words, "no answer from the controller at {controller}");
                    self.said = Some(words);
                }
                self.connection = None;
                self.controllers.failed();
                Err(())
            }
        }
    }

    async fn exchange(&mut self, heartbeat: &Heartbeat) -> Result<Answer, Error> {
        let body = Bytes::from(serde_json::to_vec(heartbeat)?);
        // A kept connection may have been closed meanwhile; the sequence number makes sending it twice safe.
        if let Some(mut kept) = self.connection.take()
            && let Ok(answer) = http::send(&mut kept, self.request(body.clone())?).await
        {
            return self.read(answer, kept).await;
        }
        let to = self.controllers.current();
        let mut fresh = http::connect(&to.host, to.port).await?;
        let answer = http::send(&mut fresh, self.request(body)?).await?;
        self.read(answer, fresh).await
    }

    async fn read(
        &mut self,
        answer: hyper::Response<hyper::body::Incoming>,
        connection: SendRequest<Full<Bytes>>,
    ) -> Result<Answer, Error> {
        let status = answer.status();
        let body = http::whole(answer.into_body()).await?;
        self.connection = Some(connection);
        match status {
            StatusCode::OK => Ok(serde_json::from_slice(&body)?),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(format!("it refuses this task's token ({status}): another secret, or another task")
                    .into())
            }
            other => Err(format!("it answered {other}").into()),
        }
    }

    fn request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, Error> {
        let to = self.controllers.current();
        Ok(Request::post(&to.path)
            .header("host", to.authority())
            .header("authorization", self.token.clone())
            .header("content-type", "application/json")
            .header("user-agent", concat!("dormouse/", env!("CARGO_PKG_VERSION"), " (sidecar)"))
            .body(Full::new(body))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Quiet;

    impl Sidecar for Quiet {
        fn report(&self) -> Report {
            let state = SidecarState::Starting;
            Report { state, peer: None, activity: None, sleep_requested: None, busy: None, detail: None }
        }

        fn heard(&self, _: &Heartbeat, _: Answer) {}
    }

    /// A controller that answers each request of each connection alike, and says when one was opened.
    async fn controller(answer: &'static str) -> (Settings, tokio::sync::mpsc::Receiver<()>) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings::new(&format!("http://{}", listener.local_addr().unwrap()), "t").unwrap();
        let (opened, seen) = tokio::sync::mpsc::channel(100);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                opened.send(()).await.unwrap();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        (settings, seen)
    }

    #[tokio::test]
    async fn a_standby_is_left_for_whoever_the_name_leads_to_next() {
        let standby = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        let (settings, mut opened) = controller(standby).await;
        let (link, farewell) = start(settings, Arc::new(Quiet));
        for _ in 0..2 {
            timeout(LIMIT, opened.recv()).await.unwrap().unwrap();
            link.touch();
        }
        assert!(!link.ever_answered());
        farewell.say().await;
    }

    #[test]
    fn a_wrong_token_is_not_repeated() {
        let wrong = Settings::new("http://c", "se\ncret").unwrap_err();
        assert!(!wrong.to_string().contains("cret"), "{wrong}");
        assert!(!format!("{:?}", Settings::new("http://c", "secret").unwrap()).contains("secret"));
    }
}
