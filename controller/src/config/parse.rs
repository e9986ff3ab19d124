//! Texts to values. An error is what is accepted, as the end of the sentence "… give".

use super::{ApiBudget, LogFormat, Policy, PublicIp};
use crate::label::is_label;
use crate::trust::{Network, TrustedProxies};
use dormouse_manifests::{Architecture, format_duration, parse_duration};
use http::Uri;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// A value, or what is accepted instead.
pub(super) type Parsed<T> = Result<T, String>;

fn accepted<T>(text: &str) -> Parsed<T> {
    Err(text.to_owned())
}

pub(super) fn domain(text: &str) -> Parsed<String> {
    let domain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    // A service's own label, the ownership record's and the dots fit in front.
    if domain.len() <= 170 && domain.split('.').all(is_label) {
        Ok(domain)
    } else {
        accepted("a domain name such as apps.example.com")
    }
}

pub(super) fn zone_id(text: &str) -> Parsed<String> {
    let id = text.strip_prefix("/hostedzone/").unwrap_or(text);
    if (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(id.to_owned())
    } else {
        accepted("a hosted zone's id such as Z0123456789ABC")
    }
}

/// A name as ECS clusters, Auto Scaling groups and tables have them, or an ARN.
pub(super) fn name(text: &str) -> Parsed<String> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if plain && text.len() <= 512 {
        Ok(text.to_owned())
    } else {
        accepted("a name or an ARN, without spaces")
    }
}

pub(super) fn image(text: &str) -> Parsed<String> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let no_scheme = !text.contains("://");
    if plain && no_scheme && text.len() <= 512 {
        Ok(text.to_owned())
    } else {
        accepted("an image such as public.ecr.aws/team/image:tag")
    }
}

/// A log group's name. Source: Amazon CloudWatch Logs API Reference, CreateLogGroup.
pub(super) fn log_group(text: &str) -> Parsed<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if (1..=512).contains(&text.len()) && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("a log group's name such as /dormouse/blue/services".to_owned())
    }
}

pub(super) fn role_arn(text: &str) -> Parsed<String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, role]
            if partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && role.starts_with("role/")
                && role.len() > "role/".len() =>
        {
            Ok(text.to_owned())
        }
        _ => accepted("a role's ARN such as arn:aws:iam::123456789012:role/execution"),
    }
}

pub(super) fn install_id(text: &str) -> Parsed<String> {
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits { Ok(text.to_owned()) } else { accepted("1 to 32 letters, digits and hyphens") }
}

/// An address to post to.
pub(super) fn webhook_url(text: &str) -> Parsed<String> {
    let is_one = |uri: &Uri| {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        matches!(uri.scheme_str(), Some("http" | "https"))
            && !authority.is_empty()
            && !authority.contains('@')
    };
    match text.parse() {
        Ok(uri) if is_one(&uri) => Ok(text.to_owned()),
        _ => accepted("https://host[:port][/path], or the same with http, without a user"),
    }
}

/// Comma-separated ids with one prefix.
pub(super) fn ids(text: &str, prefix: &str) -> Parsed<Vec<String>> {
    let list: Vec<String> = text.split(',').map(|id| id.trim().to_owned()).collect();
    let fits = |id: &String| {
        id.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    if list.iter().all(fits) {
        Ok(list)
    } else {
        Err(format!("one or more ids such as {prefix}0123abcd, separated by commas"))
    }
}

pub(super) fn listen(text: &str) -> Parsed<SocketAddr> {
    text.parse().map_err(|_| "an address and a port such as 0.0.0.0:9070 or [::]:9070".to_owned())
}

pub(super) fn controller_url(text: &str) -> Parsed<String> {
    let url = text.strip_suffix('/').unwrap_or(text);
    let uri: Option<http::Uri> = url.parse().ok();
    let fits = uri.is_some_and(|uri| {
        uri.scheme_str() == Some("http")
            && uri.host().is_some_and(|host| !host.is_empty())
            && !uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
            && uri.path() == "/"
            && uri.query().is_none()
    });
    if fits { Ok(url.to_owned()) } else { accepted("http://host:port, without a path") }
}

pub(super) fn public_ip(text: &str) -> Parsed<PublicIp> {
    if text == "none" {
        return Ok(PublicIp::NoWildcard);
    }
    let addresses: Result<Vec<Ipv4Addr>, _> = text.split(',').map(|address| address.trim().parse()).collect();
    addresses
        .map(PublicIp::Addresses)
        .map_err(|_| "none, or one or more IPv4 addresses separated by commas".to_owned())
}

pub(super) fn networks(text: &str) -> Parsed<TrustedProxies> {
    let networks: Result<TrustedProxies, _> =
        text.split(',').map(|network| network.trim().parse::<Network>()).collect();
    networks.map_err(|_| "one or more networks such as 10.0.0.0/8, separated by commas".to_owned())
}

pub(super) fn policy(text: &str) -> Parsed<Policy> {
    match text {
        "enforce" => Ok(Policy::Enforce),
        "observe" => Ok(Policy::Observe),
        _ => accepted("enforce or observe"),
    }
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        _ => accepted("json or text"),
    }
}

pub(super) fn log_filter(text: &str) -> Parsed<String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => accepted("off, error, warn, info, debug, trace, or a list such as info,dormouse=debug"),
    }
}

pub(super) fn directory(text: &str) -> Parsed<PathBuf> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { accepted("a directory that exists") }
}

/// As manifests have it, or in ECS's capitals.
pub(super) fn architecture(text: &str) -> Parsed<Architecture> {
    Architecture::from_ecs(text).ok_or_else(|| "arm64 or x86_64".to_owned())
}

pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Parsed<u32> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("a whole number from {} to {}", range.start(), range.end())),
    }
}

pub(super) fn duration(text: &str, range: RangeInclusive<Duration>) -> Parsed<Duration> {
    match parse_duration(text) {
        Ok(duration) if range.contains(&duration) => Ok(duration),
        _ => Err(format!(
            "a duration from {} to {}, written such as 500ms, 15s or 3m",
            format_duration(*range.start()),
            format_duration(*range.end())
        )),
    }
}

/// Records' TTLs are whole seconds.
pub(super) fn ttl(text: &str) -> Parsed<Duration> {
    match parse_duration(text) {
        Ok(ttl) if (1..=86_400).contains(&ttl.as_secs()) && ttl.subsec_nanos() == 0 => Ok(ttl),
        _ => accepted("a duration of whole seconds from 1s to 1d"),
    }
}

pub(super) fn api_budget(text: &str) -> Parsed<ApiBudget> {
    match text.parse::<f64>() {
        _ if text == "unlimited" => Ok(ApiBudget::Unlimited),
        Ok(share) if (0.05..=1.0).contains(&share) => Ok(ApiBudget::Share(share)),
        _ => accepted("a share from 0.05 to 1, or unlimited"),
    }
}
