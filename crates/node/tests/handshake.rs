//! Links and connections between nodes without network: every use-case of operators and peers, also where it is
//! refused, and where an answer or a process is lost half-way.

#[path = "handshake/activate.rs"]
mod activate;
#[path = "handshake/answer.rs"]
mod answer;
#[path = "handshake/crash.rs"]
mod crash;
#[path = "handshake/end.rs"]
mod end;
#[path = "handshake/established.rs"]
mod established;
#[path = "handshake/links.rs"]
mod links;
#[path = "handshake/pair.rs"]
mod pair;
#[path = "handshake/request.rs"]
mod request;
