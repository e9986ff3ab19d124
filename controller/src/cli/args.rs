//! What can be typed.

use super::kind::{Asked, Kind};
use super::selector::Selector;
use crate::config::ControllerArgs;
use crate::logs::MOST;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use dormouse_core::logs::Part;
use jiff::Timestamp;
use jiff::civil::Date;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Scale-to-zero for Amazon ECS.
#[derive(Debug, Parser)]
#[command(name = "dormouse", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or invalid manifest, 3 not found, \
                        4 timed out waiting, 5 the server is unreachable.")]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// No colours
    #[arg(
        long,
        global = true,
        help_heading = "Client options",
        env = "NO_COLOR",
        hide_env_values = true,
        value_name = "ANY"
    )]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "1")]
    pub(super) no_color: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Which controller.
#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// The controller's API
    #[arg(
        long,
        global = true,
        help_heading = "Client options",
        env = "DORMOUSE_SERVER",
        default_value = "http://127.0.0.1:9070",
        value_name = "URL"
    )]
    pub(super) server: String,
    /// The API's bearer token
    #[arg(
        long,
        global = true,
        help_heading = "Client options",
        env = "DORMOUSE_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub(super) token: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the control plane: API and dashboard, activator
    ///
    /// AWS region, credentials and endpoint come from the SDK's standard chain (AWS_REGION, AWS_ENDPOINT_URL, the
    /// task's role).
    Controller(ControllerArgs),
    /// Declare services and templates, and show what changes
    Apply(ApplyArgs),
    /// Show what applying would change
    Diff(FilesArgs),
    /// Check manifests, without a server
    Validate(FilesArgs),
    /// List services, templates, instances or events
    Get(GetLine),
    /// Show everything about a service, or a template
    Describe(DescribeArgs),
    /// Say why a service is awake or asleep
    Why(NameArgs),
    /// Wake a service
    Wake(WakeArgs),
    /// Put a service to sleep
    Sleep(SleepArgs),
    /// Delete services: their tasks and records end first; or templates, whose services stay until they expire
    Delete(DeleteArgs),
    /// List events, the newest last
    Events(EventsArgs),
    /// Show what a service's containers wrote since its last wake: yours, the proxy and the sidecar, by time
    Logs(LogsArgs),
    /// Show what services cost awake, and what their sleep saved, by list prices
    Cost(CostArgs),
    /// Examine the installation, from inside and from here, and say what to mend: exit code 1 when there is a problem
    Doctor(DoctorArgs),
    /// Say by the exit code whether the controller is alive: 0, or 1
    ///
    /// For the controller's own container, whose image has no shell.
    Healthcheck,
    /// Print the manifest's JSON Schema
    Schema,
    /// Print a shell's completions
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// A manifest, a directory of manifests, or - for the standard input; may be given more than once
    #[arg(short = 'f', long = "file", required = true, value_name = "FILE|DIR|-")]
    pub(super) files: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    pub(super) files: FilesArgs,
    /// Delete services and templates that no manifest declares; what a template made stays
    #[arg(long)]
    pub(super) prune: bool,
    /// Only show what would change
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    #[value(alias = "service", alias = "svc")]
    Services,
    #[value(alias = "template", alias = "tpl")]
    Templates,
    #[value(alias = "instance")]
    Instances,
    #[value(alias = "event")]
    Events,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns
    Table,
    /// More columns
    Wide,
    Json,
    Yaml,
    /// Names only
    Name,
}

#[derive(Debug, Args)]
pub(super) struct GetLine {
    /// What to list; without it, NAME is a service's
    #[arg(value_parser = Kind, default_value = "services")]
    what: Asked,
    /// Only these services (or templates, or instances; events: of these services)
    #[arg(value_name = "NAME", value_parser = named)]
    names: Vec<String>,
    /// Only services, or templates, with these labels: team=web, team!=web, 'team in (web, data)', team, '!team', and
    /// several of these with commas between
    #[arg(short = 'l', long, value_name = "LABELS", value_parser = Selector::parse)]
    selector: Option<Selector>,
    /// How to show it
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
    /// Show changes as they happen
    #[arg(short, long)]
    watch: bool,
}

/// What `dormouse get` is asked for.
#[derive(Debug)]
pub(super) struct GetArgs {
    pub(super) what: What,
    /// A name stood where a kind may stand: it may have been meant as one.
    pub(super) is_bare: bool,
    pub(super) names: Vec<String>,
    pub(super) selector: Option<Selector>,
    pub(super) output: Format,
    pub(super) watch: bool,
}

impl From<GetLine> for GetArgs {
    fn from(line: GetLine) -> GetArgs {
        let GetLine { what, mut names, selector, output, watch } = line;
        let (what, is_bare) = match what {
            Asked::Kind(what) => (what, false),
            Asked::Name(name) => {
                names.insert(0, name);
                (What::Services, true)
            }
        };
        GetArgs { what, is_bare, names, selector, output, watch }
    }
}

#[derive(Debug, Args)]
pub(super) struct NameArgs {
    /// The service
    #[arg(value_parser = named)]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct DescribeArgs {
    /// The service; `template/NAME` for a template
    #[arg(value_parser = named)]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Only of these services
    #[arg(value_name = "NAME", value_parser = named)]
    pub(super) names: Vec<String>,
    /// How to show them
    #[arg(short, long, value_enum, default_value = "table")]
    pub(super) output: Format,
}

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// The service
    #[arg(value_parser = named)]
    pub(super) name: String,
    /// Go on with lines as they are written, through sleeps and wakes
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Only this container's lines; `app` is your own
    #[arg(short, long, default_value = Part::default().name(), value_parser = Part::ALL.map(Part::name))]
    pub(super) container: String,
    /// Only lines of the last so long
    #[arg(long, value_parser = duration, value_name = "DURATION", group = "from")]
    pub(super) since: Option<Duration>,
    /// Only lines written at this time or later, such as 2026-01-01T12:00:00Z
    #[arg(long, value_name = "TIME", group = "from")]
    pub(super) since_time: Option<Timestamp>,
    /// The lines from the wake before the last one until the last one
    #[arg(short, long, group = "from", conflicts_with = "follow")]
    pub(super) previous: bool,
    /// Only so many of the newest lines; -1: all, as without it
    #[arg(short = 'n', long, value_parser = lines, value_name = "LINES", allow_negative_numbers = true)]
    pub(super) tail: Option<usize>,
    /// Begin each line with the time when it was written
    #[arg(long)]
    pub(super) timestamps: bool,
}

#[derive(Debug, Args)]
pub(super) struct CostArgs {
    /// Only this month, such as 2026-11
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    pub(super) month: Option<String>,
    /// How to show it
    #[arg(short, long, value_enum, default_value = "table")]
    pub(super) output: Format,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Only what the controller sees, not what this machine does
    #[arg(long)]
    pub(super) inside: bool,
    /// Who is asked where the zone is delegated to; may be given more than once, public resolvers when not
    #[arg(long, value_parser = resolver, value_name = "ADDRESS[:PORT]", conflicts_with = "inside")]
    pub(super) resolver: Vec<SocketAddr>,
    /// How to show it
    #[arg(short, long, value_enum, default_value = "table")]
    pub(super) output: Format,
}

#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// Come back only when it is done
    #[arg(long)]
    pub(super) wait: bool,
    /// How long to wait
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION")]
    pub(super) timeout: Duration,
}

#[derive(Debug, Args)]
pub(super) struct WakeArgs {
    /// The service
    #[arg(value_parser = named)]
    pub(super) name: String,
    /// Keep it awake this long at least, used or not
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub(super) at_least: Option<Duration>,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

#[derive(Debug, Args)]
pub(super) struct SleepArgs {
    /// The service
    #[arg(value_parser = named)]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The services; `template/NAME` for a template
    #[arg(required = true, value_name = "NAME", value_parser = named)]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

/// An address, with the port that resolvers have when none is given.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    const PORT: u16 = 53;
    let bare = || text.parse::<IpAddr>().map(|address| (address, PORT).into());
    text.parse().or_else(|_| bare()).map_err(|_| "give an IP address, with or without a port".to_owned())
}

/// A service by its name, or as this program writes it, so that what one command tells another one takes.
fn named(text: &str) -> Result<String, Infallible> {
    Ok(text.strip_prefix("service/").unwrap_or(text).to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    dormouse_manifests::parse_duration(text)
        .map_err(|error| format!("{error}; give a duration such as 30s, 5m or 2h"))
}

fn month(text: &str) -> Result<String, String> {
    let is_one = format!("{text}-01").parse::<Date>().is_ok() && text.len() == 7;
    if is_one { Ok(text.to_owned()) } else { Err("give a year and a month, such as 2026-11".to_owned()) }
}

fn lines(text: &str) -> Result<usize, String> {
    let number = if text == "-1" { Some(MOST) } else { text.parse().ok() };
    number.filter(|number| *number <= MOST).ok_or_else(|| format!("give a number of lines, {MOST} at most"))
}
