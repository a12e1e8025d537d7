//! What the benches have in common: daemons as processes, their operators, a network between them, and tables.

pub mod cpu;
pub mod daemon;
pub mod operator;
pub mod proxy;
pub mod rows;
pub mod states;
pub mod table;
