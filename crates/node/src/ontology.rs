//! The ontology of a space.
