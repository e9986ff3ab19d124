//! A proxy's life: listen, watch, report, and one of the ways it ends.

use crate::activity::is_abandoned;
use crate::front::{Certificate, Door, Purpose, Running, accept, accept_rest};
use crate::http1::pool::KEPT_FOR;
use crate::proxy::{Proxy, Stage};
use crate::settings::Settings;
use crate::upstream::tune;
use dormouse_peer::exit::Exit;
use dormouse_peer::probe::Check;
use dormouse_peer::settings::Protocol;
use dormouse_peer::stop::Stop;
use dormouse_peer::{link, patrol};
use socket2::SockRef;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long the last answers may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The proxy's open ports.
#[derive(Debug)]
pub struct Listeners {
    traffic: Door,
    /// In tcp mode only.
    health: Option<Door>,
    /// If it was asked for.
    admin: Option<Door>,
}

impl Listeners {
    /// Opens them.
    ///
    /// # Errors
    /// What the system says, as when a port is taken.
    pub async fn open(settings: &Settings) -> io::Result<Listeners> {
        let address = settings.common.listen_address;
        let certificate = certificate(settings)?;
        let traffic = Door { certificate, ..listen(address, settings.port).await? };
        let health = match settings.common.protocol {
            Protocol::Http | Protocol::H2c => None,
            Protocol::Tcp => Some(listen(address, settings.health_port).await?),
        };
        let admin = match settings.admin_port {
            Some(port) => Some(listen(Ipv4Addr::LOCALHOST.into(), port).await?),
            None => None,
        };
        Ok(Listeners { traffic, health, admin })
    }

    /// Where traffic goes in.
    ///
    /// # Errors
    /// What the system says.
    pub fn traffic(&self) -> io::Result<SocketAddr> {
        self.traffic.listener.local_addr()
    }

    /// Where `/health` is.
    ///
    /// # Errors
    /// What the system says.
    pub fn health(&self) -> io::Result<SocketAddr> {
        self.health.as_ref().unwrap_or(&self.traffic).listener.local_addr()
    }
}

/// What is set for a listener is inherited by its connections, without a call for each.
async fn listen(address: IpAddr, port: u16) -> io::Result<Door> {
    let listener = TcpListener::bind((address, port)).await?;
    tune(&SockRef::from(&listener));
    Ok(Door { listener, certificate: None })
}

#[cfg(feature = "tls")]
fn certificate(settings: &Settings) -> io::Result<Option<Arc<Certificate>>> {
    let load = |tls| Certificate::load(tls).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why));
    settings.tls.clone().map(load).transpose().map(|certificate| certificate.map(Arc::new))
}

#[cfg(not(feature = "tls"))]
fn certificate(_settings: &Settings) -> io::Result<Option<Arc<Certificate>>> {
    Ok(None)
}

/// Follows changes of the certificate, where there is one.
async fn follow(certificate: Option<Arc<Certificate>>) {
    match certificate {
        #[cfg(feature = "tls")]
        Some(certificate) => certificate.follow().await,
        #[cfg(not(feature = "tls"))]
        Some(none) => match *none {},
        None => std::future::pending().await,
    }
}

/// Runs until there is a reason to end, and ends in order.
pub async fn serve(proxy: Arc<Proxy>, listeners: Listeners, mut stop: Stop) -> Exit {
    let sidecar: Arc<dyn link::Sidecar> = Arc::<Proxy>::clone(&proxy);
    let farewell = proxy.settings.common.link.clone().map(|settings| {
        let (link, farewell) = link::start(settings, sidecar);
        proxy.set_link(link);
        farewell
    });
    let (running, ended) = mpsc::channel(1);
    let exit = tokio::select! {
        () = stop.asked() => Exit::Asked,
        () = follow(listeners.traffic.certificate.clone()) => Exit::Failed,
        exit = reason(&proxy) => exit,
        () = accept(&proxy, &listeners.traffic, Purpose::Traffic, &running) => Exit::Failed,
        () = beside(&proxy, listeners.health.as_ref(), Purpose::Health, &running) => Exit::Failed,
        () = beside(&proxy, listeners.admin.as_ref(), Purpose::Admin, &running) => Exit::Failed,
    };
    finish(&proxy, listeners, running, ended, exit, stop).await;
    proxy.advance(Stage::Leaving);
    if let Some(farewell) = farewell {
        farewell.say().await;
    }
    tracing::info!(code = exit.code(), "ends");
    exit
}

/// Lets go of the clients: first those that ask for nothing, then, when the time is over, those that wait.
async fn finish(
    proxy: &Arc<Proxy>,
    listeners: Listeners,
    running: Running,
    mut ended: mpsc::Receiver<Infallible>,
    exit: Exit,
    mut stop: Stop,
) {
    tracing::info!(?exit, activity = ?proxy.activity.snapshot(), "finishes what is in flight");
    proxy.advance(Stage::Finishing);
    // A service that is lost answers nobody any more: there is nothing to wait for.
    let drain = if exit == Exit::PeerLost { Duration::ZERO } else { proxy.settings.drain };
    let Listeners { traffic, health, admin } = listeners;
    drop(admin);
    let mut all_gone = pin!(async {
        accept_rest(proxy, traffic, Purpose::Traffic, &running).await;
        drop(running);
        while ended.recv().await.is_some() {}
    });
    tokio::select! {
        () = &mut all_gone => return drop(health),
        () = sleep(drain) => {}
        () = stop.asked() => tracing::warn!("asked again"),
    }
    proxy.advance(Stage::Ending);
    if timeout(LAST_WORDS, all_gone).await.is_err() {
        tracing::warn!(activity = ?proxy.activity.snapshot(), "cuts off what is left");
    }
}

/// Takes connections at a listener that may not be there.
async fn beside(proxy: &Arc<Proxy>, door: Option<&Door>, purpose: Purpose, running: &Running) {
    match door {
        Some(door) => accept(proxy, door, purpose, running).await,
        None => std::future::pending().await,
    }
}

/// The proxy's own reasons to end.
async fn reason(proxy: &Arc<Proxy>) -> Exit {
    let common = &proxy.settings.common;
    let check = match common.protocol {
        Protocol::Http => Check::Service { path: common.health_path.clone() },
        Protocol::H2c | Protocol::Tcp => Check::Tcp,
    };
    let address = proxy.upstream.address();
    let watched = patrol::keep("the service", common.watch, check, address.clone(), |health, error| {
        proxy.checked(health, error);
    });
    tokio::select! {
        error = watched => {
            tracing::error!("ends, because the service is lost: {error}");
            Exit::PeerLost
        }
        () = patrol::stranded(proxy.link(), address, common.watch.grace) => {
            tracing::error!("ends, because nobody says where the service is");
            Exit::PeerLost
        }
        () = abandoned(proxy) => {
            tracing::warn!("ends, because nobody uses it and no controller answers");
            Exit::Idle
        }
        () = prune(proxy) => Exit::Failed,
    }
}

/// Waits until the proxy is idle for its limit, and the controller silent for as long.
async fn abandoned(proxy: &Proxy) {
    let Some(limit) = proxy.settings.idle_limit else { return std::future::pending().await };
    let period = (limit / 10).clamp(Duration::from_millis(20), Duration::from_secs(5));
    loop {
        sleep(period).await;
        // Without a controller nobody but the proxy itself counts idleness.
        let silent = proxy.link().map_or(Duration::MAX, link::Link::silent_for);
        if is_abandoned(limit, silent, &proxy.activity.snapshot()) {
            return;
        }
    }
}

async fn prune(proxy: &Proxy) {
    loop {
        sleep(KEPT_FOR).await;
        proxy.upstream.pool().prune();
        proxy.upstream.http2_pool().prune();
    }
}
