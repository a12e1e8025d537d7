//! peerd wire
