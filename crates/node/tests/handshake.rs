//! Links and connections between nodes without network: every use-case of operators and peers, also where it is
//! refused, and where an answer or a process is lost half-way.

#[path = "handshake/links.rs"]
mod links;
#[path = "handshake/pair.rs"]
mod pair;
