//! peerd node
