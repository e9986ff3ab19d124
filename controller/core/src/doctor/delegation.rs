//! Whether the world is led to the hosted zone: what resolvers say of its name servers, beside what the zone has.

use super::finding::Finding;
use std::collections::BTreeSet;

const ABOUT: &str = "zone delegation";

/// What a resolver answers about the name servers of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameServers {
    /// These, in lower case and without trailing dots; none when the name is there and is no zone of its own.
    Are(BTreeSet<String>),
    /// There is no such name.
    NoSuchName,
    /// It is led to servers that do not answer for it.
    Fail,
    /// It did not answer, or cannot, and why.
    NoAnswer(String),
}

/// Names below these are of no use outside a machine or a network: nobody delegates them.
///
/// Sources: RFC 6761, RFC 9476, and ICANN's reservation of `internal`.
const RESERVED: [&str; 7] = ["alt", "example", "internal", "invalid", "local", "localhost", "test"];

/// Whether nobody can delegate a name.
pub fn is_reserved(name: &str) -> bool {
    let top = name.rsplit('.').next().unwrap_or(name);
    RESERVED.contains(&top)
}

/// What one resolver's answer says of a zone. `servers`: those that Route 53 has for it.
pub fn check(zone: &str, servers: &[String], resolver: &str, answer: &NameServers) -> Finding {
    let wanted: BTreeSet<String> =
        servers.iter().map(|server| server.trim_end_matches('.').to_ascii_lowercase()).collect();
    let fix = format!(
        "name these servers for `{zone}` at the registrar, or in an NS record of the zone above it: {}",
        list(&wanted)
    );
    match answer {
        NameServers::Are(found) if *found == wanted => Finding::ok(
            ABOUT,
            format!("{resolver} leads `{zone}` to the hosted zone's {} name servers", found.len()),
        ),
        NameServers::Are(found) if found.is_empty() => {
            Finding::problem(ABOUT, format!("`{zone}` is delegated to nobody, {resolver} says"), fix)
        }
        NameServers::Are(found) if found.is_disjoint(&wanted) => {
            let message =
                format!("`{zone}` is led to {}, {resolver} says, and not to the hosted zone", list(found));
            Finding::problem(ABOUT, message, fix)
        }
        // Who asks the others gets what they have, or nothing.
        NameServers::Are(found) => {
            let message = format!(
                "`{zone}` is led to {}, {resolver} says: not the same as the hosted zone's",
                list(found)
            );
            Finding::warning(ABOUT, message, fix)
        }
        NameServers::NoSuchName => {
            Finding::problem(ABOUT, format!("there is no `{zone}`, {resolver} says"), fix)
        }
        // So it is with a zone that was deleted, and perhaps made anew: Route 53 gave it other servers then.
        NameServers::Fail => {
            let message =
                format!("`{zone}` is led to name servers that do not answer for it, {resolver} says");
            Finding::problem(ABOUT, message, fix)
        }
        NameServers::NoAnswer(why) => Finding::warning(
            ABOUT,
            format!("{resolver} was asked in vain: {why}"),
            "ask from where UDP port 53 is open, or name another resolver: `dormouse doctor --resolver ADDRESS`",
        ),
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn what_resolvers_say_is_held_against_the_zone() {
        let are = |names: &[&str]| NameServers::Are(names.iter().map(|name| (*name).to_owned()).collect());
        let servers = ["ns-1.Example.net.".to_owned(), "ns-2.example.org".to_owned()];
        for (answer, level, words) in [
            (are(&["ns-1.example.net", "ns-2.example.org"]), Level::Ok, "leads `example.com` to the hosted"),
            (are(&["ns-1.example.net"]), Level::Warning, "not the same as"),
            (are(&["ns-1.example.net", "ns-2.example.org", "ns.old.net"]), Level::Warning, "not the same as"),
            (are(&["ns.old.net"]), Level::Problem, "`example.com` is led to ns.old.net, 1.1.1.1 says"),
            (are(&[]), Level::Problem, "delegated to nobody"),
            (NameServers::NoSuchName, Level::Problem, "there is no `example.com`, 1.1.1.1 says"),
            (NameServers::Fail, Level::Problem, "do not answer for it"),
            (NameServers::NoAnswer("no answer".into()), Level::Warning, "1.1.1.1 was asked in vain"),
        ] {
            let found = check("example.com", &servers, "1.1.1.1", &answer);
            assert_eq!(found.level, level, "{found}");
            assert!(found.message.contains(words), "{words} is not in {found}");
            let fix = found.fix.unwrap_or_default();
            match level {
                Level::Problem => assert!(fix.ends_with("ns-1.example.net, ns-2.example.org"), "{fix}"),
                Level::Warning => assert!(!fix.is_empty()),
                Level::Ok => assert!(fix.is_empty(), "{fix}"),
            }
        }
    }

    #[test]
    fn names_for_use_at_home_are_reserved() {
        for name in ["localhost", "dormouse.test", "a.b.internal"] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["example.com", "test.example.com", "latest"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
