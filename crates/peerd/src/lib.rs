//! peerd peerd
