//! A service's pairs, one family of behaviours a file.

mod definitions;
mod delete;
mod failing;
mod falling_asleep;
mod pools;
mod restart;
mod retiring;
mod rollout;
mod rules;
mod status;
mod strays;
mod waking;
mod wishes;
