//! What is not configured, found out at the start: the install id, the controller's own addresses, the private zone's
//! name; and whether what is configured is there.

use crate::config::{ControllerConfig, PublicIp, Resolved};
use crate::pages::Custom;
use anyhow::{Context, bail};
use dormouse_aws::{Cloud, Survey};
use dormouse_core::doctor::{self, Finding, Level, Reading};
use dormouse_core::naming;
use dormouse_core::settings::PrivateZone;
use dormouse_state::Store;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;
use tracing::{info, warn};

/// Between two tries while AWS does not answer.
const RETRY: Duration = Duration::from_secs(2);
/// How often it is tried before the start is given up.
const TRIES: u32 = 30;
/// Where a task on Fargate learns about itself.
///
/// Source: Amazon ECS Developer Guide, "Task metadata endpoint version 4".
const METADATA: &str = "ECS_CONTAINER_METADATA_URI_V4";

/// Settings that turned out wrong, each with its fix: the program ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\nerror: "))]
pub struct WrongSettings(Vec<String>);

impl WrongSettings {
    fn one(variable: &str, problem: &str) -> WrongSettings {
        WrongSettings(vec![format!("{variable}: {problem}")])
    }
}

/// Finds out what the configuration leaves open, once what it names was found to be there.
pub async fn resolve(
    config: &ControllerConfig,
    cloud: &Cloud,
    survey: &Survey,
    store: &dyn Store,
) -> anyhow::Result<Resolved> {
    let wanted = &config.installation;
    let site = wanted.site();
    let facts = patiently("what the settings name", || survey.facts(&site)).await?;
    refuse(doctor::settings(&site, &facts))?;
    let private_zone = match (&wanted.private_zone, &facts.private_zone) {
        (Some(id), Some(Reading::Known(zone))) => {
            Some(PrivateZone { id: id.clone(), name: zone.name.clone() })
        }
        _ => None,
    };
    let install = match &wanted.install {
        Some(install) => install.clone(),
        None => {
            let proposal = format!("{:08x}", RandomState::new().hash_one(0) >> 32);
            patiently("the table", || store.install_id(&proposal)).await?
        }
    };
    let port = config.api_listen.port();
    let own_url = async || Ok::<_, anyhow::Error>(format!("http://{}:{port}", own_address().await?));
    let (controller_url, replica_url) = match &wanted.controller_url {
        // It may be a name for several; a task knows its own address.
        Some(url) => (url.clone(), if is_task() { own_url().await? } else { url.clone() }),
        None => {
            let own = own_url().await?;
            (own.clone(), own)
        }
    };
    let wildcard = match &wanted.public_ip {
        PublicIp::NoWildcard => None,
        PublicIp::Addresses(addresses) => Some(addresses.iter().map(ToString::to_string).collect()),
        PublicIp::Own => Some(vec![own_public_address(cloud).await?]),
    };
    let instance_type = match &facts.group {
        Reading::Known(group) => group.types.first().cloned(),
        _ => None,
    };
    let launches = match &facts.machine {
        Reading::Known(image) => image.processor(),
        _ => None,
    };
    Ok(Resolved { install, controller_url, replica_url, wildcard, instance_type, launches, private_zone })
}

/// Everything that cannot work, at once; what could not be looked at is logged.
fn refuse(findings: Vec<Finding>) -> anyhow::Result<()> {
    let of = |level| findings.iter().filter(move |finding| finding.level == level);
    for finding in of(Level::Warning) {
        warn!(setting = finding.about, "{finding}");
    }
    let problems: Vec<String> = of(Level::Problem).map(ToString::to_string).collect();
    if problems.is_empty() { Ok(()) } else { bail!(WrongSettings(problems)) }
}

/// The waiting pages of one's own.
///
/// # Errors
/// Everything that is wrong with them: [`WrongSettings`].
pub fn pages(directory: Option<&Path>) -> anyhow::Result<Custom> {
    let Some(directory) = directory else { return Ok(Custom::default()) };
    let custom = Custom::load(directory).map_err(|wrong| {
        let drawn: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        WrongSettings::one("DORMOUSE_PAGES", &format!("not accepted:\n{}", drawn.join("\n")))
    })?;
    info!(directory = %directory.display(), pages = ?custom.names().collect::<Vec<_>>(), "pages read");
    Ok(custom)
}

/// Who this is, for the lease.
pub fn holder() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!("{}/{}", host.trim(), std::process::id())
}

/// AWS may be slow to answer a fresh task; a refusal is final.
async fn patiently<T, E, F>(what: &str, call: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, E>>,
    E: std::error::Error + Send + Sync + 'static + Transient,
{
    let mut tries = 0;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) if error.is_transient() && tries < TRIES => {
                tries += 1;
                warn!(%error, "{what} could not be read; trying again");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error).context(format!("{what} cannot be read")),
        }
    }
}

/// Errors that may go away by themselves.
trait Transient {
    fn is_transient(&self) -> bool;
}

impl Transient for dormouse_aws::ports::CloudError {
    fn is_transient(&self) -> bool {
        self.passes()
    }
}

impl Transient for dormouse_state::StoreError {
    fn is_transient(&self) -> bool {
        matches!(self, dormouse_state::StoreError::Unavailable(_))
    }
}

async fn own_address() -> anyhow::Result<String> {
    let task = metadata("DORMOUSE_CONTROLLER_URL").await?;
    let address = task.pointer("/Containers/0/Networks/0/IPv4Addresses/0").and_then(Value::as_str);
    address.map(str::to_owned).context("the task's metadata names no address; set DORMOUSE_CONTROLLER_URL")
}

async fn own_public_address(cloud: &Cloud) -> anyhow::Result<String> {
    let task = metadata("DORMOUSE_PUBLIC_IP").await?;
    let text = |key: &str| task.get(key).and_then(Value::as_str).map(str::to_owned);
    let (Some(arn), Some(cluster)) = (text("TaskARN"), text("Cluster")) else {
        bail!("the task's metadata names no task; set DORMOUSE_PUBLIC_IP");
    };
    let described = cloud
        .tasks
        .describe(&cluster, &naming::started_by(""), std::slice::from_ref(&arn))
        .await
        .context("the controller's own task cannot be described; set DORMOUSE_PUBLIC_IP")?;
    let interface = described.tasks.into_iter().find_map(|task| task.interface);
    let interface =
        interface.context("the controller's own task has no network interface; set DORMOUSE_PUBLIC_IP")?;
    let addresses = cloud.interfaces.public_addresses(std::slice::from_ref(&interface)).await?;
    addresses.get(&interface).cloned().with_context(|| {
        format!("{interface}, the controller's own, has no public address; set DORMOUSE_PUBLIC_IP, or `none`")
    })
}

fn is_task() -> bool {
    #[allow(clippy::disallowed_methods, reason = "the edge: ECS sets it, nobody configures it")]
    std::env::var_os(METADATA).is_some()
}

async fn metadata(variable: &'static str) -> anyhow::Result<Value> {
    #[allow(clippy::disallowed_methods, reason = "the edge: ECS sets it, nobody configures it")]
    let base = std::env::var(METADATA).ok();
    let Some(base) = base else {
        bail!(WrongSettings::one(
            variable,
            "not set, and this is not an ECS task that could find out by itself"
        ));
    };
    let url: http::Uri = format!("{base}/task").parse().context("the metadata endpoint is no URL")?;
    let host = url.authority().context("the metadata endpoint has no host")?;
    let stream = TcpStream::connect((host.host(), host.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request =
        http::Request::get(url.path()).header("host", host.as_str()).body(Empty::<bytes::Bytes>::new())?;
    let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
    drop(sender);
    connection.abort();
    serde_json::from_slice(&body).context("the task's metadata is no JSON")
}
