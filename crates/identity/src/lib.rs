//! peerd identity
