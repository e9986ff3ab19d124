//! `dormouse controller`: find out what is not configured, start every part, end in order.

use crate::activator::{self, Activator};
use crate::api;
use crate::clock::SystemClock;
use crate::config::{ControllerConfig, Policy};
use crate::doctor::telling::Told;
use crate::doctor::{self, Examine};
use crate::files;
use crate::logs::LogReader;
use crate::metrics::Metrics;
use crate::passes::Passes;
use crate::plane::Plane;
use crate::probe::HttpProbe;
use crate::reconcile::{Controller, ControllerPlane, Ended, Parts};
use crate::replicas;
use crate::serve::Grace;
use crate::startup;
#[cfg(feature = "otel")]
use crate::trace;
use crate::trace::Traces;
use crate::waker::Waker;
use crate::webhook::Webhook;
use anyhow::{Context, bail};
use dormouse_aws::{Cloud, CloudWatchLogs, Https, Survey};
use dormouse_core::cost::Tariff;
use dormouse_core::upkeep;
use dormouse_manifests::Architecture;
use dormouse_state::Store;
use dormouse_state::dynamodb::DynamoDbStore;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Of the time until it is killed, what is left for an orderly end once nobody waits here any more.
const LAST: Duration = Duration::from_secs(5);

/// Of the time that requests get, one part in so many is for those that are held when nobody new is led here any more.
const FOR_THE_HELD: u32 = 4;

/// Connections that wait to be accepted. Whoever comes when so many do, tries again after a second: the usual 128 are
/// few where a crowd waits for one service. The system's own limit is `net.core.somaxconn`, usually 4096.
const BACKLOG: u32 = 4096;

/// Runs the control plane until SIGTERM or SIGINT, or until its lease is lost (an error).
pub async fn run(config: ControllerConfig) -> anyhow::Result<()> {
    files::suffice(files::raise(), config.held.total);
    let pages = Arc::new(startup::pages(config.pages.as_deref())?);
    let api_listener = listen(config.api_listen, "DORMOUSE_API_LISTEN")?;
    let activator_listener = listen(config.activator_listen, "DORMOUSE_ACTIVATOR_LISTEN")?;
    let sdk = dormouse_aws::sdk_config().await;
    let cloud = Cloud::connect(&sdk);
    let survey = Survey::connect(&sdk, &cloud);
    let store: Arc<dyn Store> =
        Arc::new(DynamoDbStore::new(aws_sdk_dynamodb::Client::new(&sdk), config.table.clone()));

    let stop = CancellationToken::new();
    // Cancelled after it, once nobody is led here any more.
    let down = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(stop.clone())?);
    let resolved = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        resolved = startup::resolve(&config, &cloud, &survey, &*store) => resolved?,
    };
    let replica_url = resolved.replica_url.clone();
    let instance_type = resolved.instance_type.clone();
    let settings = config.installation.clone().resolve(resolved);
    info!(
        install = settings.install,
        domain = settings.domain,
        controller = settings.controller_url,
        wildcard = ?settings.wildcard,
        "starting"
    );
    let controller = upkeep::Controller { architecture: architecture(), lease: config.lease };
    let tariff = Tariff {
        instance_type,
        tasks_per_instance: settings.max_tasks_per_instance,
        architecture: settings.architecture,
        controller,
    };
    let api_budget = config.api_budget.share(sdk.endpoint_url().is_some());
    let logs = settings.log_group.clone().map(|group| {
        let port = Arc::new(CloudWatchLogs::new(&sdk, cloud.calls.clone()));
        Arc::new(LogReader::new(port, group, api_budget))
    });
    let address = config.webhook.as_ref().map(|webhook| webhook.url.clone());
    let told = Told { webhook: address, logs: logs.clone() };
    let doctor: Arc<dyn Examine> = Arc::new(doctor::Inside::new(
        survey,
        config.installation.site(),
        settings.clone(),
        told,
        Arc::new(SystemClock),
    ));
    let controller_url = settings.controller_url.clone();
    let controller = Controller::new(Parts {
        settings,
        secret: config.secret.expose().as_bytes().to_vec(),
        cloud: cloud.clone(),
        store,
        clock: Arc::new(SystemClock),
        prober: Arc::new(HttpProbe),
        lease: config.lease,
        api_budget,
        observe_only: config.policy == Policy::Observe,
        holder: startup::holder(),
        replica_url,
        webhook: config
            .webhook
            .map(|webhook| Webhook::new(webhook.keys, Arc::new(Https::to(&sdk, webhook.url.expose())))),
    });
    #[cfg(feature = "otel")]
    let provider = trace::export::from_environment(&sdk).context("traces cannot be exported")?;
    #[cfg(feature = "otel")]
    let traces = provider.as_ref().map(Traces::to).unwrap_or_default();
    #[cfg(not(feature = "otel"))]
    let traces = Traces::default();
    let plane: Arc<dyn Plane> = Arc::new(ControllerPlane(controller.clone()));
    let waker = Waker::new(plane.clone());
    let passes = Passes::new(config.secret.clone(), Arc::new(SystemClock));
    let options = activator::Options {
        limits: config.held,
        tokens: config.tokens.clone(),
        passes: Some(passes.clone()),
        trusted: config.trusted_proxies.clone(),
        pages: pages.clone(),
        api_url: Some(controller_url),
        traces,
    };
    let activator = Activator::new(plane.clone(), waker.clone(), options);
    let metrics: Vec<Arc<dyn Metrics>> = vec![activator.clone(), Arc::new(waker.clone()), controller.clone()];
    let options = api::Options {
        tokens: config.tokens.clone(),
        passes: Some(passes),
        trusted: config.trusted_proxies.clone(),
        pages,
        metrics,
        tariff,
        doctor: Some(doctor),
        logs,
        secret: Some(config.secret.clone()),
        stop: down.clone(),
    };
    let router = api::router(plane.clone(), waker, options);
    let total = config.stop_timeout.saturating_sub(LAST);
    let grace = Grace::of(total);
    let mut served = tokio::spawn({
        let (activator, down, grace) = (activator.clone(), down.clone(), grace.clone());
        async move {
            let api = api::serve(api_listener, router, down.clone(), grace.clone());
            tokio::join!(api, activator.serve(activator_listener, down, grace));
        }
    });
    let withdraws = tokio::spawn({
        let (controller, stop, down) = (controller.clone(), stop.clone(), down.clone());
        async move {
            stop.cancelled().await;
            grace.begin();
            controller.withdraw(total.saturating_sub(total / FOR_THE_HELD)).await;
            down.cancel();
        }
    });
    let manifests = config
        .manifests
        .map(|directory| tokio::spawn(crate::directory::follow(directory, plane.clone(), down.clone())));
    info!(api = %config.api_listen, activator = %config.activator_listen, "listening");

    // Cancelled once nobody waits here any more.
    let left = CancellationToken::new();
    let secret = config.secret.clone();
    let link = move |url: &str| replicas::Http::to(url, &secret);
    let follows = tokio::spawn(replicas::follow(controller.clone(), link, left.clone()));
    let ended = controller.lead(&down).await;
    stop.cancel();
    if ended == Ended::Lost {
        // Whoever leads now must not find two at work: no grace.
        bail!("the lease was lost; ending, so that a fresh process starts from what is true");
    }
    // Who is held here is answered with the help of whoever leads now.
    tokio::select! {
        biased;
        ended = &mut served => ended.context(PANICKED)?,
        () = controller.linger() => {
            activator.give_up();
            served.await.context(PANICKED)?;
        }
    }
    left.cancel();
    for task in [Some(follows), manifests, Some(signals), Some(withdraws)].into_iter().flatten() {
        task.await.context(PANICKED)?;
    }
    #[cfg(feature = "otel")]
    if let Some(provider) = provider {
        // It waits for its own thread, which waits for this runtime.
        let _ = tokio::task::spawn_blocking(move || provider.shutdown()).await.context(PANICKED)?;
    }
    info!("ended");
    Ok(())
}

/// The processor that this program is built for.
fn architecture() -> Architecture {
    if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86_64 }
}

const PANICKED: &str = "a part of the controller panicked";

fn listen(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().with_context(|| format!("{variable}: cannot listen on {address}"))
}

/// Cancels `stop` on the first SIGTERM or SIGINT.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stop.cancelled() => {}
        }
        stop.cancel();
    })
}
