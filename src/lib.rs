//! Deskwire.
pub mod app;
pub mod auth;
pub mod conversations;
pub mod db;
pub mod documents;
pub mod gateway;
pub mod health;
pub mod http;
pub mod journal;
pub mod kernel;
pub mod members;
pub mod messages;
pub mod metrics;
pub mod routes;
pub mod server;
pub mod settings;
pub mod tenants;
