//! What the adapters send and how they read what comes back: against recorded answers, and against the local AWS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod autoscaling;
mod ec2;
mod ecs_definitions;
mod ecs_instances;
mod ecs_tasks;
mod errors;
mod https;
mod local;
mod logs;
mod recorded;
mod route53;
mod survey;
