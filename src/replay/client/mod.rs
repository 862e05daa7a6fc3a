//! The clients that replay plays with: REST, socket, and the rules by which a device keeps its view. They use the
//! public interface only and share no type with the server, so that they see what any other client would see.

pub mod backoff;
mod connect;
pub mod device;
pub mod fact;
mod frames;
mod line;
pub mod log;
pub mod rest;
pub mod row;
pub mod signal;
pub mod view;

pub use backoff::{Backoff, Failure};
pub use device::Device;
pub use rest::{Rest, Site};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod view_tests;
