//! Tests of the data relay's formats and directories.
#![cfg(test)]

mod corpus;
mod directories;
mod parity;
mod samples;
mod sealed;
mod states;
mod xml;
