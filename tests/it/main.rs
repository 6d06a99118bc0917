//! The integration tests: one binary, one module a noun.

mod lifecycle;
mod store;
