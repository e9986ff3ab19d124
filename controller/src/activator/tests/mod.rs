//! The activator, over real connections, in front of a fake control plane and small services.

mod answers;
mod held;
mod rig;
mod sent;
mod stopping;
