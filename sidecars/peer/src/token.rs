//! The per-task token: says which task its bearer is, and proves that the controller named it so.
//!
//! `v1:<service>:<role>:<epoch>:<attempt>:<hex HMAC-SHA256 of all before it>`. It is a pure function of the
//! secret and the identity, because it travels in RunTask's parameters, which must not change between
//! retries of the same client token.

use crate::wire::Role;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::{self, Write};

/// Which task of which pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Service name, a DNS label.
    pub service: String,
    /// Which half.
    pub role: Role,
    /// The wake epoch that the pair was made for.
    pub epoch: u64,
    /// Which try within the epoch, from a number of its service's row on.
    pub attempt: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.service, self.role, self.epoch, self.attempt)
    }
}

impl Identity {
    /// Reads `service:role:epoch:attempt`.
    pub fn parse(text: &str) -> Option<Identity> {
        let mut parts = text.split(':');
        let service = parts.next().filter(|s| !s.is_empty())?.to_owned();
        let role = match parts.next()? {
            "proxy" => Role::Proxy,
            "service" => Role::Service,
            _ => return None,
        };
        let epoch = parts.next()?.parse().ok()?;
        let attempt = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Identity { service, role, epoch, attempt })
    }
}

fn mac(secret: &[u8], body: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(body.as_bytes());
    Some(mac)
}

/// A text with its proof: `text:<hex HMAC-SHA256>`. Kinds of texts must not be mistaken for each other: each has a
/// prefix of its own.
pub fn seal(secret: &[u8], text: &str) -> String {
    // HMAC takes keys of every length, so `mac` fails for none.
    let Some(mac) = mac(secret, text) else { return String::new() };
    let mut sealed = format!("{text}:");
    for byte in mac.finalize().into_bytes() {
        let _ = write!(sealed, "{byte:02x}");
    }
    sealed
}

/// The text, when this secret sealed it. Takes the same time for every wrong proof.
pub fn unseal<'a>(secret: &[u8], sealed: &'a str) -> Option<&'a str> {
    let (text, proof) = sealed.rsplit_once(':')?;
    mac(secret, text)?.verify_slice(&unhex(proof)?).ok().map(|()| text)
}

/// Makes the token of a task. The secret may have any length; Dormouse asks for 32 bytes or more.
pub fn sign(secret: &[u8], identity: &Identity) -> String {
    seal(secret, &format!("v1:{identity}"))
}

/// Reads whom a token names, without proof: for the bearer itself, which has no secret.
pub fn claimed(token: &str) -> Option<Identity> {
    let (body, _) = token.strip_prefix("v1:")?.rsplit_once(':')?;
    Identity::parse(body)
}

/// Whom a token names, when this secret made it. Takes the same time for every wrong proof.
pub fn verify(secret: &[u8], token: &str) -> Option<Identity> {
    // What is proven is the text: another spelling of the same identity (`+1`, `01`) has another proof.
    claimed(token).filter(|_| unseal(secret, token).is_some())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Identity {
        Identity { service: "hello".into(), role: Role::Proxy, epoch: 7, attempt: 2 }
    }

    #[test]
    fn a_token_names_its_task() {
        let token = sign(b"secret", &hello());
        assert_eq!(verify(b"secret", &token), Some(hello()));
        assert_eq!(claimed(&token), Some(hello()));
    }

    #[test]
    fn anything_else_is_refused() {
        let token = sign(b"secret", &hello());
        for wrong in [
            token.replace("proxy", "service"),
            token.replace(":7:", ":8:"),
            token.replace(":7:", ":07:"),
            token[..token.len() - 1].to_owned(),
            format!("{token}0"),
            format!("{token}é"),
            String::new(),
            "v1::::".into(),
        ] {
            assert_eq!(verify(b"secret", &wrong), None, "{wrong}");
        }
        assert_eq!(verify(b"other", &token), None);
    }
}
