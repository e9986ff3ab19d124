//! The activator, over real connections, in front of a fake control plane and small services.

mod answers;
mod guarded;
mod held;
mod hostile;
mod http2;
mod made;
mod own;
mod rig;
mod sent;
mod stopping;
