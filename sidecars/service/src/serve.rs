//! A service sidecar's life: watch, report, and one of the ways it ends.

use crate::ask;
use crate::busy;
use crate::container;
use crate::settings::Settings;
use crate::shutdown::ShutdownFile;
use crate::sidecar::Sidecar;
use dormouse_peer::exit::Exit;
use dormouse_peer::link::{self, Link};
use dormouse_peer::patrol;
use dormouse_peer::probe::Check;
use dormouse_peer::stop::Stop;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Between looks at the shutdown file.
const LOOK: Duration = Duration::from_millis(250);

/// Runs until there is a reason to end, and ends in order.
pub async fn serve(settings: Settings, mut stop: Stop) -> Exit {
    let sidecar = Arc::new(Sidecar::new(settings.proxy.clone()));
    let speaker: Arc<dyn link::Sidecar> = Arc::<Sidecar>::clone(&sidecar);
    let (link, farewell) = settings.common.link.clone().map(|at| link::start(at, speaker)).unzip();
    let watch = settings.common.watch;
    let check = Check::Proxy { path: settings.proxy_path.clone() };
    let address = sidecar.proxy_address();
    // Where the container answers, while it does.
    let answers = tokio::sync::watch::Sender::new(None);
    let listener = sleep_listener(&settings).await;
    let asker = {
        let sidecar = Arc::clone(&sidecar);
        move |words| sidecar.wishes(words)
    };
    let exit = tokio::select! {
        () = stop.asked() => Exit::Asked,
        () = asleep(&sidecar, &settings, link.as_ref()) => Exit::Asked,
        error = container::keep(&settings.container, watch, |health, error, answered| {
            sidecar.checked_container(health, error);
            answers.send_if_modified(|now| std::mem::replace(now, answered) != answered);
        }) => {
            tracing::error!("ends, because the user's container answers no more: {error}");
            Exit::PeerLost
        }
        error = patrol::keep("the proxy", watch, check, address.clone(), |h, e| sidecar.checked_proxy(h, e)) => {
            tracing::error!("ends, because its proxy is lost: {error}");
            Exit::PeerLost
        }
        () = patrol::stranded(link.as_ref(), address, watch.grace) => {
            tracing::error!("ends, because nobody says where its proxy is");
            Exit::PeerLost
        }
        () = busy::ask(&sidecar, &settings, answers.subscribe()) => Exit::Failed,
        () = ask::listen(listener, asker) => Exit::Failed,
        () = pass_on(&sidecar, link.as_ref()) => Exit::Failed,
    };
    sidecar.leave();
    if let Some(farewell) = farewell {
        farewell.say().await;
    }
    tracing::info!(code = exit.code(), "ends");
    exit
}

/// The port on which the container may ask for its own sleep. Taken by the container itself, it stays the container's:
/// there is the file.
async fn sleep_listener(settings: &Settings) -> Option<TcpListener> {
    let at = settings.sleep_listen?;
    match TcpListener::bind(at).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!("the container cannot ask for sleep at {at}: {error}");
            None
        }
    }
}

/// Tells the controller what changed, at once.
async fn pass_on(sidecar: &Sidecar, link: Option<&Link>) {
    loop {
        sidecar.changed.notified().await;
        if let Some(link) = link {
            link.touch();
        }
    }
}

/// Waits until the container's wish to sleep is to be acted on here: at once when this stands alone, else
/// only when the controller, whose order it is to give, has fallen silent.
async fn asleep(sidecar: &Sidecar, settings: &Settings, link: Option<&Link>) {
    let mut file = ShutdownFile::at_start(settings.shutdown_file.clone());
    loop {
        if let Some(words) = file.look() {
            sidecar.wishes(words);
        }
        if link.is_none() && sidecar.is_wished() {
            file.remove();
            return;
        }
        if link.is_some_and(|link| sidecar.acts_alone(link.silent_for())) {
            tracing::warn!("ends on the container's wish, because no controller answers");
            file.remove();
            return;
        }
        tokio::select! {
            () = sidecar.heard.notified() => file.remove(),
            () = sleep(LOOK) => {}
        }
    }
}
