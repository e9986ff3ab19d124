//! Plain pages: the waiting page, "not declared", and the list of services. No scripts, nothing from elsewhere.
//!
//! # Layout
//!
//! - `escape`: texts in HTML
//! - `frame`: what all pages share
//! - `waiting`, `missing`, `list`: the pages

mod escape;
mod frame;
mod list;
mod missing;
mod waiting;

pub use list::list;
pub use missing::not_found;
pub use waiting::waiting;
