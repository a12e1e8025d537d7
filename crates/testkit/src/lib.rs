//! peerd testkit
