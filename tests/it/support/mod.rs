//! What the integration tests share.

pub(crate) mod browser;
pub(crate) mod city;
pub(crate) mod database;
pub(crate) mod peers;
pub(crate) mod people;
mod plan;
pub(crate) mod proxy;
pub(crate) mod record;
pub(crate) mod story;
pub(crate) mod terminal;
pub(crate) mod tls;
pub(crate) mod wire;
pub(crate) mod world;
