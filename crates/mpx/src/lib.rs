//! peerd mpx
