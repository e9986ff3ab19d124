//! Reading `spec.proxy`.

use std::time::Duration;

use crate::checks;
use crate::duration::format_duration;
use crate::fargate;
use crate::fields;
use crate::node::Node;
use crate::read::{Complaint, Reader};
use crate::types::{Protocol, ProxyProtocol, ProxySpec, Timeouts};

const LONGEST_CONNECT: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);

/// The proxy of a service that speaks `protocol`.
pub(crate) fn read(reader: &mut Reader<'_>, node: &Node, protocol: Protocol) -> ProxySpec {
    let mut proxy = ProxySpec::default();
    let fields = reader.section(node, &fields::PROXY);
    let before = reader.diagnostics.len();
    fields.read("cpu", &mut proxy.cpu, |n| {
        let cpu = reader.integer(n, "proxy.cpu", 1..=u32::MAX)?;
        let sizes: Vec<String> = fargate::cpu_sizes().map(|size| size.to_string()).collect();
        let known = fargate::cpu_sizes().any(|size| size == cpu);
        let complaint = Complaint::new(
            format!("Fargate has no tasks with {cpu} CPU units"),
            format!("expected one of {}", sizes.join(", ")),
        );
        reader.accept(n, known.then_some(cpu).ok_or(complaint))
    });
    // The smallest memory that goes with the CPU: who sets one need not set both.
    if let (None, Some(smallest)) = (fields.get("memory"), fargate::memory_sizes(proxy.cpu).first()) {
        proxy.memory = *smallest;
    }
    fields.read("memory", &mut proxy.memory, |n| reader.integer(n, "proxy.memory", 1..=u32::MAX));
    fields.read("spot", &mut proxy.spot, |n| reader.boolean(n, "proxy.spot"));
    if reader.diagnostics.len() == before
        && !fargate::memory_sizes(proxy.cpu).contains(&proxy.memory)
        && let Some(memory) = fields.get("memory")
    {
        let complaint = Complaint::new(
            format!("Fargate has no tasks with {} CPU units and {} MiB", proxy.cpu, proxy.memory),
            format!("with {} CPU units: {}", proxy.cpu, fargate::describe_memory(proxy.cpu)),
        );
        reader.error(&memory.span, complaint);
    }
    fields.read("timeouts", &mut proxy.timeouts, |n| Some(timeouts(reader, n, protocol)));
    fields.read("accessLog", &mut proxy.access_log, |n| reader.boolean(n, "proxy.accessLog"));
    fields.read("proxyProtocol", &mut proxy.proxy_protocol, |n| {
        reader.choice(n, "proxy.proxyProtocol", &[("v2", ProxyProtocol::V2)]).map(Some)
    });
    if let Some(entry) = fields.entry("proxyProtocol")
        && protocol != Protocol::Tcp
    {
        let complaint = Complaint::new(
            "`proxy.proxyProtocol` is only for `protocol: tcp`",
            format!("with `protocol: {protocol}` the service is told in `X-Forwarded-For`"),
        )
        .help("remove `proxyProtocol`");
        reader.error(&entry.key_span, complaint);
    }
    proxy
}

fn timeouts(reader: &mut Reader<'_>, node: &Node, protocol: Protocol) -> Timeouts {
    let mut timeouts = Timeouts::default();
    let fields = reader.section(node, &fields::TIMEOUTS);
    for (name, slot, rule) in [
        ("connect", &mut timeouts.connect, Rule { most: LONGEST_CONNECT, zero: false }),
        ("header", &mut timeouts.header, Rule { most: DAY, zero: false }),
        ("body", &mut timeouts.body, Rule { most: DAY, zero: true }),
        ("response", &mut timeouts.response, Rule { most: DAY, zero: true }),
        ("idle", &mut timeouts.idle, Rule { most: DAY, zero: false }),
    ] {
        let field = format!("proxy.timeouts.{name}");
        fields.read(name, slot, |n| {
            reader.parsed(n, &field, "a duration", |text| rule.check(&field, text)).map(Some)
        });
        if let Some(entry) = fields.entry(name)
            && !has_effect(name, protocol)
        {
            let why = match protocol {
                Protocol::Tcp => "raw connections have no requests",
                _ => "over HTTP/2 a body that stands still holds up nothing else",
            };
            let complaint =
                Complaint::new(format!("`{field}` has no effect with `protocol: {protocol}`"), why);
            reader.warning(&entry.key_span, complaint);
        }
    }
    timeouts
}

fn has_effect(timeout: &str, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Http => true,
        Protocol::H2c => timeout != "body",
        Protocol::Tcp => timeout == "connect",
    }
}

/// What the proxy accepts.
struct Rule {
    most: Duration,
    /// Zero switches it off.
    zero: bool,
}

impl Rule {
    fn check(&self, field: &str, text: &str) -> Result<Duration, Complaint> {
        let value = if self.zero { checks::duration(field, text) } else { checks::positive(field, text) }?;
        if value > self.most {
            let most = format_duration(self.most);
            return Err(Complaint::new(format!("`{field}` is too long"), format!("{most} are the most")));
        }
        Ok(value)
    }
}
