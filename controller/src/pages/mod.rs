//! Pages for people: the waiting page, the dashboard, "not declared". Nothing comes from elsewhere.
//!
//! Pages are pure functions over views; what changes in them while they are open is rendered by the same functions
//! and sent over event streams. Styles and scripts are part of a page, and its policy names them by their hash.
//!
//! # Layout
//!
//! - `escape`: texts in HTML; `words`: times in words
//! - `asset`: styles, scripts, the dormouse
//! - `frame`: what all pages share
//! - `progress`: where a service is on its way up; `estimate`: how long that takes
//! - `custom`: pages of one's own in place of the waiting page
//! - `waiting`: the waiting page; `live`: its event stream
//! - `dashboard`: the dashboard
//! - `missing`: "not declared"

mod asset;
mod custom;
pub mod dashboard;
mod escape;
mod estimate;
mod frame;
mod live;
mod missing;
mod progress;
mod waiting;
mod words;

pub use custom::Custom;
pub use live::{Goes, Live};
pub use missing::not_found;
pub use waiting::{Paths, waiting};
