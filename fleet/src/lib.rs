//! Fleets: one command stops every engine of a desk, on any number of hosts, by NATS.
//!
//! `docs/fleet.md` tells the protocol. This library is what the command `trip99-fleet` is made of; its interface may change.

// This crate has tokio, which one of the examples of that page needs.
#[cfg(doctest)]
#[doc = include_str!("../../docs/threads.md")]
mod threads {}

// In the order that data flows: a file uses only files above it.

// What is said, by whom, and about which pages.
pub mod failure;
pub mod time;
pub mod labels;
pub mod selection;
pub mod keys;
pub mod trust;
pub mod message;
// Decisions, which the model tries out: no clock, no network, no disk.
pub mod book;
pub mod agent;
pub mod hear;
pub mod governor;
// What carries them out.
pub mod store;
pub mod net;
pub mod bucket;
pub mod server;
pub mod files;
pub mod pages;
pub mod run;
pub mod ask;
pub mod command;
pub mod lab;
pub mod demo;
