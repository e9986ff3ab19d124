//! The API's tokens, and what each lets its bearer do.

use crate::config::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

/// What a token lets its bearer do; each may what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Wake and put to sleep.
    Wake,
    /// Declare and delete.
    Admin,
}

impl Role {
    /// In one word.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Wake => "wake",
            Role::Admin => "admin",
        }
    }

    /// The setting that gives such tokens.
    pub const fn variable(self) -> &'static str {
        match self {
            Role::Read => "DORMOUSE_API_TOKEN_READ",
            Role::Wake => "DORMOUSE_API_TOKEN_WAKE",
            Role::Admin => "DORMOUSE_API_TOKEN",
        }
    }
}

/// Somebody who is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// What the token is called; its role, when it has no name.
    pub name: Arc<str>,
    /// What it lets do.
    pub role: Role,
}

impl fmt::Display for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.role.word())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    bearer: Bearer,
    secret: Secret,
    /// What a browser keeps in its place.
    session: Secret,
}

/// Every token that is accepted. Without any, nobody is asked for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(Arc<[Token]>);

impl Tokens {
    /// Tokens with their names and roles.
    pub fn new(tokens: impl IntoIterator<Item = (Bearer, Secret)>) -> Tokens {
        let token = |(bearer, secret): (Bearer, Secret)| {
            let session = session(&secret);
            Token { bearer, secret, session }
        };
        Tokens(tokens.into_iter().map(token).collect())
    }

    /// One token that lets do everything.
    pub fn admin(secret: Secret) -> Tokens {
        Tokens::new([(Bearer { name: Role::Admin.word().into(), role: Role::Admin }, secret)])
    }

    /// Whether nobody is asked for one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token this is. How long that takes tells nothing of the tokens but how many and how long they are.
    pub fn of(&self, shown: &str) -> Option<&Bearer> {
        self.find(shown, |token| &token.secret).map(|token| &token.bearer)
    }

    /// Whose session a browser's cookie is.
    pub fn of_session(&self, shown: &str) -> Option<&Bearer> {
        self.find(shown, |token| &token.session).map(|token| &token.bearer)
    }

    fn find(&self, shown: &str, of: impl Fn(&Token) -> &Secret) -> Option<&Token> {
        // Every one is compared, whichever it is.
        self.0.iter().fold(None, |found, token| {
            let matches = of(token).matches(shown);
            if matches { Some(token) } else { found }
        })
    }

    /// What a browser keeps in place of a token that is accepted.
    pub fn session(&self, shown: &str) -> Option<&Secret> {
        self.find(shown, |token| &token.secret).map(|token| &token.session)
    }
}

/// What a browser keeps in place of the token. Who knows it cannot tell the token from it.
fn session(token: &Secret) -> Secret {
    let mut text = String::new();
    // A key may have any length, and writing to a String cannot fail.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(token.expose().as_bytes()) {
        mac.update(b"dormouse dashboard");
        for byte in mac.finalize().into_bytes() {
            let _ = write!(text, "{byte:02x}");
        }
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let token = |name: &str, role, secret| (Bearer { name: name.into(), role }, Secret::new(secret));
        Tokens::new([
            token("admin", Role::Admin, "one"),
            token("ci", Role::Wake, "two"),
            token("grafana", Role::Read, "three"),
        ])
    }

    #[test]
    fn whose_it_is() {
        let tokens = tokens();
        for (shown, bearer) in [
            ("one", Some("admin (admin)")),
            ("two", Some("ci (wake)")),
            ("three", Some("grafana (read)")),
            ("four", None),
            ("", None),
            ("one,two", None),
        ] {
            assert_eq!(tokens.of(shown).map(ToString::to_string).as_deref(), bearer, "{shown}");
            let session = tokens.session(shown);
            let by_session = session.and_then(|session| tokens.of_session(session.expose()));
            assert_eq!(by_session, tokens.of(shown), "{shown}");
            assert_eq!(tokens.of_session(shown), None, "a token is no session");
        }
    }

    #[test]
    fn each_may_what_those_before_it_may() {
        assert!(Role::Read < Role::Wake && Role::Wake < Role::Admin);
    }

    #[test]
    fn no_token_is_shown() {
        let shown = format!("{:?}", tokens());
        assert!(
            !["one", "two", "three"].iter().any(|secret| shown.contains(&format!("\"{secret}\""))),
            "{shown}"
        );
        assert!(shown.contains("grafana"), "{shown}");
    }
}
