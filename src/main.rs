//! The program. Everything is in the library, so that tests and benchmarks run the same code.

/// Serves the embedded database too. With the system's allocator a message takes about a third longer
/// (`benches/README.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    deskwire::cli::main()
}
