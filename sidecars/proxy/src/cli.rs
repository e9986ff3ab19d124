//! The command line: run, or check a running one.

use crate::proxy::Proxy;
use crate::serve::{Listeners, serve};
use crate::settings::{self, Settings};
use dormouse_peer::common;
use dormouse_peer::exit::Exit;
use dormouse_peer::probe::{self, Check};
use dormouse_peer::program::{Call, Program};
use dormouse_peer::settings::{Protocol, Source, Wrong};
use dormouse_peer::stop::Stop;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

const PROGRAM: Program =
    Program { name: "dormouse-proxy", version: env!("CARGO_PKG_VERSION"), help: include_str!("help.txt") };
/// Shorter than the time-outs that containers' health checks have.
const HEALTHCHECK: Duration = Duration::from_secs(3);

/// Does what the arguments (without the program's name) say.
pub async fn run(args: &[String], source: &dyn Source) -> Exit {
    match PROGRAM.call(args) {
        Call::Start => start(source).await,
        Call::Healthcheck => healthcheck(source).await,
        Call::Answered(exit) => exit,
    }
}

async fn start(source: &dyn Source) -> Exit {
    let settings = match Settings::read(source) {
        Ok(settings) => settings,
        Err(wrong) => return PROGRAM.misconfigured(&wrong),
    };
    settings.common.log.clone().start();
    // Before the ports open: whoever sees them may already ask to stop.
    let (stop, listeners) = match (Stop::signals(), Listeners::open(&settings).await) {
        (Ok(stop), Ok(listeners)) => (stop, listeners),
        (_, Err(error)) if error.kind() == io::ErrorKind::InvalidInput => {
            PROGRAM
                .complain(&format!("TLS_CERTIFICATE and TLS_KEY, or the files, are not accepted: {error}"));
            return Exit::Wrong;
        }
        (Err(error), _) | (_, Err(error)) => {
            PROGRAM.complain(&format!(
                "cannot listen at {}:{}: {error}",
                settings.common.listen_address, settings.port
            ));
            return Exit::Failed;
        }
    };
    let place =
        |address: io::Result<std::net::SocketAddr>| address.map(|a| a.to_string()).unwrap_or_default();
    tracing::info!(
        listen = place(listeners.traffic()),
        health = place(listeners.health()),
        service = settings.common.service_name,
        domain = settings.common.domain,
        version = env!("CARGO_PKG_VERSION"),
        "dormouse-proxy listens"
    );
    serve(Arc::new(Proxy::new(settings)), listeners, stop).await
}

async fn healthcheck(source: &dyn Source) -> Exit {
    let place = || -> Result<(IpAddr, u16), Wrong> {
        let listen = settings::listen(source)?;
        let tcp = dormouse_peer::settings::protocol(source)? == Protocol::Tcp;
        let port = if tcp { listen.health_port } else { listen.port };
        Ok((reachable(common::listen_address(source)?), port))
    };
    let (address, port) = match place() {
        Ok(place) => place,
        Err(wrong) => return PROGRAM.misconfigured(&wrong),
    };
    let check = Check::Proxy { path: "/health".to_owned() };
    match probe::check(&check, &address.to_string(), port, HEALTHCHECK).await {
        Ok(()) => Exit::Asked,
        Err(failure) => {
            PROGRAM.complain(&format!("unhealthy at {address}:{port}: {failure}"));
            Exit::Failed
        }
    }
}

/// An address to listen at that means "any" is reached over the loopback.
fn reachable(listen: IpAddr) -> IpAddr {
    match listen {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        one => one,
    }
}
