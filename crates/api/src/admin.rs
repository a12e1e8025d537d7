//! `peerd.admin.v1`: one file per service.

mod audit;
mod backup;
mod enrollment;
mod marking;
mod policy;
mod principal;
mod space;
