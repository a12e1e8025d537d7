//! peerd api
