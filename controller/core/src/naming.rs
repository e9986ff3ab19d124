//! Owner marks, client tokens, families and record names: every name that Dormouse gives, in one place.

use dormouse_peer::token::Identity;
use dormouse_peer::wire::Role;
use sha2::{Digest, Sha256};

/// Container name of the service sidecar in a service task.
pub const SIDECAR_CONTAINER: &str = "dormouse-service";
/// Container name of the proxy in a proxy task.
pub const PROXY_CONTAINER: &str = "dormouse-proxy";
/// Name of the user's container in a task definition made from an `image:`.
pub const USER_CONTAINER: &str = "app";

/// `startedBy` of every task of an installation. ListTasks filters by it, and it survives StopTask, which
/// deletes tags. At most 128 characters: letters, digits, `-`, `_`, `/`.
///
/// Source: Amazon ECS API Reference, RunTask.
pub fn started_by(install: &str) -> String {
    format!("dormouse/{install}")
}

/// RunTask's idempotency token: the same for every try of one intent, different for every other intent, also for
/// those of a deleted service of the same name. 64 characters at most.
pub fn client_token(install: &str, identity: &Identity, incarnation: &str) -> String {
    let mut token = hex(&Sha256::digest(format!("{install}/{identity}/{incarnation}")));
    token.truncate(48);
    token
}

/// Task definition family of a service's role.
pub fn family(install: &str, service: &str, role: Role) -> String {
    format!("dormouse-{install}-{service}-{role}")
}

/// `<name>.<domain>`, lower case and without a trailing dot.
pub fn record_name(name: &str, domain: &str) -> String {
    format!("{name}.{domain}")
}

/// Name of the ownership TXT of a service. Not the service's own name: a TXT there would switch the wildcard
/// off for it.
pub fn owner_name(name: &str, domain: &str) -> String {
    format!("{name}._dormouse.{domain}")
}

/// URL that users open.
pub fn url(name: &str, domain: &str) -> String {
    format!("http://{name}.{domain}:9060")
}

/// Hash of a content, short enough for a tag.
pub fn content_hash(content: &[u8]) -> String {
    let mut hash = hex(&Sha256::digest(content));
    hash.truncate(16);
    hash
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_tokens_differ_by_every_part() {
        let base = Identity { service: "a".into(), role: Role::Proxy, epoch: 1, attempt: 1 };
        let tokens: std::collections::BTreeSet<_> = [
            client_token("i", &base, ""),
            client_token("i", &base, "later"),
            client_token("j", &base, ""),
            client_token("i", &Identity { role: Role::Service, ..base.clone() }, ""),
            client_token("i", &Identity { epoch: 2, ..base.clone() }, ""),
            client_token("i", &Identity { attempt: 2, ..base.clone() }, ""),
            client_token("i", &Identity { service: "b".into(), ..base.clone() }, ""),
        ]
        .into();
        assert_eq!(tokens.len(), 7);
        assert!(tokens.iter().all(|token| token.len() == 48));
    }
}
