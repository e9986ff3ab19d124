//! Who changed what, and who tried: one line in the log for each call that changes something.

use super::state::Api;
use crate::api::extract::Peer;
use crate::request::describe;
use crate::tokens::Bearer;
use crate::trust::hops;
use http::StatusCode;
use http::request::Parts;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Who asks, as far as tokens tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// No token is asked for.
    Anybody,
    /// Who has this token, or has logged in with it.
    Bearer(Bearer),
    /// Another controller of the installation.
    Controller,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Anybody => f.write_str("anybody"),
            Who::Bearer(bearer) => bearer.fmt(f),
            Who::Controller => f.write_str("a controller"),
        }
    }
}

/// A call that changes something, as it came.
pub(super) struct Attempt {
    call: String,
    from: IpAddr,
}

impl Attempt {
    pub(super) fn of(api: &Api, parts: &Parts) -> Attempt {
        let from = address(api, parts);
        Attempt { call: describe(parts, from), from }
    }

    /// Writes down what became of it. `who`: `None` when no token was right.
    pub(super) fn answered(&self, who: Option<&Who>, status: StatusCode) {
        let who = who.map_or_else(|| "nobody known".to_owned(), ToString::to_string);
        let (from, call, status) = (self.from, &self.call, status.as_u16());
        tracing::info!(target: "audit", who, %from, status, "{call}");
    }
}

/// Where a request comes from.
pub(super) fn address(api: &Api, parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0);
    api.trusted.client(peer, hops(&parts.headers))
}
