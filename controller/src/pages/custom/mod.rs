//! Pages of one's own in place of the built-in waiting page: the directory `DORMOUSE_PAGES`.
//!
//! They are read and checked once, before anything starts. What a page shows of the wake is rendered as on the built-in
//! page, so that live updates are the same; the rest is the page's own.
//!
//! # Layout
//!
//! - `load`: a directory to [`Custom`]
//! - `template`: a page with places for values; `place`: which, and where each may stand
//! - `html`: a page's tags; `rules`: what would not work in one

mod html;
mod load;
mod place;
mod rules;
mod template;

use super::asset::Asset;
use dormouse_core::view::ServiceView;
use std::collections::BTreeMap;
pub(super) use template::{Filled, Template};

/// Pages of one's own. By default there are none.
#[derive(Debug, Default)]
pub struct Custom {
    /// By name, without `.html`.
    pages: BTreeMap<String, Template>,
    /// `theme.css`.
    pub(super) style: Option<Asset>,
}

/// The page of services that have none of their own.
const EVERYONES: &str = "waiting";

impl Custom {
    /// The page of a service: what its manifest names, or the one with its own name, or everyone's. A page that is not
    /// there is as good as not named.
    pub(super) fn of(&self, view: &ServiceView) -> Option<&Template> {
        let named = view.spec.wake.theme.page.as_deref();
        let names = [named, Some(view.metadata.name.as_str()), Some(EVERYONES)];
        names.into_iter().flatten().find_map(|name| self.pages.get(name))
    }

    /// Names of all pages, without `.html`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pages.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
