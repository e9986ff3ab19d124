//! Two controllers that both believe that they lead, interleaved with each other, with users and with the cloud in every
//! order, up to a depth: the real planners on plain data.
//!
//! # Layout
//!
//! - `part`: what worlds have in common, and how they are told apart
//! - `world`: what is true, what is remembered, what each controller knows
//! - `cloud`: tasks and names in truth
//! - `controller`: a controller's shell: it reads, plans and writes, takes steps, remembers answers
//! - `moves`: what may happen next
//! - `check`: what must hold after each move
//! - `search`: every order, each world once, the shortest way to a violation
//! - `group`: the same for instances: both plan the group's capacity, from readings as old as they happen to be
//! - `start`: a world to begin with, and A alone at work in it
//! - `scenarios`: where searches begin
//! - `tests`: what holds, and that it would be noticed if it did not

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod cloud;
mod controller;
mod group;
mod moves;
mod part;
mod scenarios;
mod search;
mod start;
mod tests;
mod world;
