//! The clients that replay plays with: REST, socket, and the rules by which a device keeps its view. They use the
//! public interface only and share no type with the server, so that they see what any other client would see.

pub mod backoff;
pub mod device;
pub mod fact;
mod frames;
mod line;
pub mod rest;
pub mod view;

pub use backoff::{Backoff, Failure};
pub use device::Device;
pub use rest::{Rest, Site};
