//! The whole control plane against a simulated AWS: deterministic, from a seed, an hour in milliseconds.
//!
//! The controllers are the real ones. What they reach through their ports is plain data behind one lock; time is paused
//! and jumps from event to event; everything random comes from the seed. The same seed gives the same run.
//!
//! # Layout
//!
//! - [`driver`]: one run, from a [`script`](mod@script) to an outcome
//! - [`script`](mod@script): what people, machines and bad luck do; [`profile`]: fault rates
//! - [`sim`]: the world and its handle; [`truth`]: what is really true in it; [`queue`]: what is to happen;
//!   [`time`]: when
//! - [`ports`]: the ports of a controller over the truth, with faults
//! - [`process`]: a controller as a process that crashes and freezes; [`client`]: those who ask
//! - [`check`]: what must always be true, and what must come true
//! - [`trace`]: what happened, as a hash and as a timeline; [`rng`]: random numbers
//! - [`shrink`](mod@shrink): the shortest run that shows a violation
//! - [`scenario`](mod@scenario): named scenarios; [`systematic`]: everything that can go wrong once in each; [`stroke`]:
//!   what befalls a controller at an effect; [`faults`]: what goes wrong, to read
//! - `mutants`: faults planted into the product, each to be found (feature `mutants`)
//! - [`scale`]: what many services cost (`make bench-scale`)
//! - [`cli`]: the program

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod check;
pub mod cli;
pub mod client;
pub mod driver;
pub mod faults;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod ports;
pub mod process;
pub mod profile;
pub mod queue;
pub mod rng;
pub mod scale;
pub mod scenario;
pub mod script;
pub mod shrink;
pub mod sim;
pub mod stroke;
pub mod systematic;
pub mod time;
pub mod trace;
pub mod truth;
